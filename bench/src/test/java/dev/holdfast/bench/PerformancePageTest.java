package dev.holdfast.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PerformancePageTest {
    @Test
    void replacesOnlyTheNamedSection() {
        String page = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n<!-- y:begin -->\nkept\n<!-- y:end -->\n";
        assertThat(PerformancePage.replaced(page, "x", "new\n"))
                .isEqualTo("a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb\n<!-- y:begin -->\nkept\n<!-- y:end -->\n");
    }

    @Test
    void refusesAPageWithoutTheSection() {
        assertThatThrownBy(() -> PerformancePage.replaced("<!-- x:end --><!-- x:begin -->", "x", "new"))
                .isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"delta", "inference", "attestation", "install"})
    void thePageHasASectionOfEachBenchmark(String name) throws IOException {
        String page = Files.readString(Path.of("..", "docs", "performance.md"));
        assertThat(PerformancePage.replaced(page, name, "fresh")).contains("fresh");
    }
}
