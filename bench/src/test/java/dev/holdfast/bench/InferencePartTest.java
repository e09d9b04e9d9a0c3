package dev.holdfast.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.gguf.GgmlType;
import java.util.List;
import org.junit.jupiter.api.Test;

class InferencePartTest {
    @Test
    void partsAreToldApartByName() {
        assertThat(InferencePart.all())
                .extracting(InferencePart::name)
                .containsExactly("135m-q8_0", "135m-q4_0", "0.5b-q8_0", "0.5b-q4_0", "depth", "streams", "start");
    }

    @Test
    void aGoalIsMissedBelowIt() {
        assertThat(InferencePart.against(159, 200, 0.8)).isEqualTo("200.0 | 0.80, goal 0.8: **missed**");
        assertThat(InferencePart.against(160, 200, 0.8)).isEqualTo("200.0 | 0.80, goal 0.8: met");
        assertThat(InferencePart.against(160, 200, 0)).isEqualTo("200.0 | 0.80");
    }

    @Test
    void eachKindHasItsOwnMedian() {
        assertThat(Speeds.median(List.of(new Speeds(1, 30), new Speeds(3, 10), new Speeds(2, 20))))
                .isEqualTo(new Speeds(2, 20));
        assertThat(Speeds.median(List.of(new Speeds(5, 10), new Speeds(6, 30), new Speeds(7, 20))))
                .isEqualTo(new Speeds(6, 20));
    }

    @Test
    void aPeerThatCannotBeMeasuredSaysWhy() {
        assertThat(new Llama3Java().obstacle(ShapedModel.QWEN2_5_0_5B).orElseThrow())
                .containsAnyOf("absent", "architecture");
    }

    @Test
    void everyPeerHasAGoalForDecoding() {
        assertThat(PeerEngine.PEERS)
                .allSatisfy(
                        peer -> assertThat(peer.goal(GgmlType.Q4_0).decode()).isPositive());
    }
}
