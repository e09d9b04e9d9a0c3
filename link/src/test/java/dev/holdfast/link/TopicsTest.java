package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.wire.Rejection;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TopicsTest {
    @ParameterizedTest
    @ValueSource(strings = {"a", "cam-7", "CAM_7", "7"})
    void namesOfLettersDigitsUnderscoreAndHyphen(String name) throws Exception {
        assertThat(Topics.isName(name)).isTrue();
        Topics topics = new Topics(name, name);
        assertThat(Topics.parse(topics.ask()).orThrow()).isEqualTo(topics);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-a", "_a", ".a", "a/b", "a+", "#", "a b", "ä", "a\n", "cam.7", "a.b.c"})
    void nothingElseIsAName(String name) {
        assertThat(Topics.isName(name)).isFalse();
        assertThatThrownBy(() -> new Topics("fleet", name)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Topics(name, "device")).isInstanceOf(IllegalArgumentException.class);
        assertThat(Topics.parse("holdfast/v1/fleet/d/" + name + "/ask").isAccepted())
                .isFalse();
        assertThat(Topics.parse("holdfast/v1/" + name + "/d/device/ask").isAccepted())
                .isFalse();
    }

    @Test
    void aNameHas64CharactersAtMost() {
        assertThat(Topics.isName("x".repeat(64))).isTrue();
        assertThat(Topics.isName("x".repeat(65))).isFalse();
    }

    @Test
    void aNameWithADotIsRefusedWithWhatToDo() {
        assertThat(Topics.isDottedName("cam.7")).isTrue();
        assertThat(Topics.refusal("cam.7"))
                .isEqualTo("cam.7: names of fleets and devices have no dots, since RabbitMQ takes them for slashes; use"
                        + " cam-7, enrol the device under the new name and order its models again");
    }

    @Test
    void otherNamesAreRefusedWithWhatANameIs() {
        for (String name : new String[] {"", "a/b", ".a", "x".repeat(10_000)}) {
            assertThat(Topics.isDottedName(name)).isFalse();
            assertThat(Topics.refusal(name)).contains("1 to 64 letters, digits, '_' or '-'");
            assertThat(Topics.refusal(name).length()).isLessThan(Rejection.MAX_DETAIL_CHARS);
        }
        assertThat(Topics.refusal("x." + "x".repeat(62)).length()).isLessThan(Rejection.MAX_DETAIL_CHARS);
    }
}
