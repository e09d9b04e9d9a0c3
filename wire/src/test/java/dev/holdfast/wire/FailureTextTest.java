package dev.holdfast.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.AsynchronousCloseException;
import org.junit.jupiter.api.Test;

class FailureTextTest {
    @Test
    void aFailureThatSaysNothingIsToldByItsType() {
        assertThat(FailureText.of(new AsynchronousCloseException())).isEqualTo("AsynchronousCloseException");
        assertThat(FailureText.of(new IOException(""))).isEqualTo("IOException");
        assertThat(FailureText.of(new IOException("the disk is full"))).isEqualTo("the disk is full");
    }
}
