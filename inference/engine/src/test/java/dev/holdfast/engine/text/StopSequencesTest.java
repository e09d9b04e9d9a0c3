package dev.holdfast.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class StopSequencesTest {
    private static String shown(StopSequences stops, String... pieces) {
        StringBuilder out = new StringBuilder();
        for (String piece : pieces) {
            out.append(stops.pass(piece));
        }
        return out.toString();
    }

    @Test
    void nothingOfAStopSequenceIsShown() {
        StopSequences stops = new StopSequences(List.of("END"));
        assertThat(stops.pass("so E")).isEqualTo("so ");
        assertThat(stops.pass("N")).isEmpty();
        assertThat(stops.found()).isFalse();
        assertThat(stops.pass("D more")).isEmpty();
        assertThat(stops.found()).isTrue();
        assertThat(stops.rest()).isEmpty();
    }

    @Test
    void whatOnlyBeganLikeOneIsShownInTheEnd() {
        StopSequences stops = new StopSequences(List.of("END"));
        assertThat(shown(stops, "an E", "Nd ", "EN")).isEqualTo("an ENd ");
        assertThat(stops.rest()).isEqualTo("EN");
        assertThat(stops.found()).isFalse();
    }

    @Test
    void theFirstOfSeveralEndsTheText() {
        assertThat(shown(new StopSequences(List.of("late", "now")), "a now b late c"))
                .isEqualTo("a ");
        assertThat(shown(new StopSequences(List.of("now", "late")), "a now b late c"))
                .isEqualTo("a ");
    }
}
