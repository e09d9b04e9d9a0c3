package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is desired of a device is a set, and each change of it is an order of its own. */
class DesiredModelsTest {
    private static final String DEVICE = "device-1";
    private static final Rollout TERMS =
            new Rollout("r1", Instant.EPOCH, Duration.ofHours(1), Optional.empty(), 9_000_000);

    @TempDir
    Path dir;

    private FleetRepository repository;

    @BeforeEach
    void publish() throws Exception {
        repository = new FleetRepository(new FleetDirectory(dir.resolve("fleet")), Clock.systemUTC());
        repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
        for (String model : List.of("chat", "embed", "rank")) {
            publish(model, "1.0.0", Json.object());
        }
    }

    private void publish(String model, String version, JsonNode template) throws Exception {
        SampleRelease.sign(repository, model, version, new byte[100], template, Optional.empty());
    }

    private DesiredModels add(String model, String version, Optional<Rollout> terms, boolean byDefault)
            throws Exception {
        return DesiredModels.add(repository, DEVICE, model, new DesiredModels.Wish(version, terms), byDefault);
    }

    private DesiredModels add(String model) throws Exception {
        return add(model, "1.0.0", Optional.empty(), false);
    }

    private DesiredModels remove(String model) throws Exception {
        return DesiredModels.remove(repository, DEVICE, model);
    }

    private DesiredModels stored() throws Exception {
        return DesiredModels.read(repository.directory(), DEVICE).orElseThrow();
    }

    private Path file() {
        return repository.directory().root().resolve("desired").resolve(DEVICE + ".json");
    }

    @Test
    void aModelIsAddedBesideTheOthersAndTheFirstIsTheDefault() throws Exception {
        assertThat(add("chat").byDefault()).hasValue("chat");
        DesiredModels both = add("embed", "1.0.0", Optional.of(TERMS), false);
        assertThat(both.counter()).isEqualTo(2);
        assertThat(both.byDefault()).hasValue("chat");
        assertThat(both.models().keySet()).containsExactly("chat", "embed");
        assertThat(both.models().get("chat")).isEqualTo(new DesiredModels.Wish("1.0.0", Optional.empty(), 1));
        assertThat(both.models().get("embed")).isEqualTo(new DesiredModels.Wish("1.0.0", Optional.of(TERMS), 2));
        assertThat(stored()).isEqualTo(both);
    }

    @Test
    void aModelIsChangedAndTheOthersAreLeftAlone() throws Exception {
        publish("chat", "2.0.0", Json.object());
        add("chat", "1.0.0", Optional.of(TERMS), false);
        add("embed", "1.0.0", Optional.of(TERMS), false);
        DesiredModels changed = add("chat", "2.0.0", Optional.empty(), false);
        assertThat(changed.counter()).isEqualTo(3);
        assertThat(changed.byDefault()).hasValue("chat");
        assertThat(changed.models().get("chat"))
                .as("terms belong to one wish for one model")
                .isEqualTo(new DesiredModels.Wish("2.0.0", Optional.empty(), 3));
        assertThat(changed.models().get("embed"))
                .as("the number of its own wish")
                .isEqualTo(new DesiredModels.Wish("1.0.0", Optional.of(TERMS), 2));
    }

    @Test
    void anotherModelBecomesTheDefaultWhereAsked() throws Exception {
        add("chat");
        assertThat(add("embed", "1.0.0", Optional.empty(), true).byDefault()).hasValue("embed");
        assertThat(add("chat").byDefault()).as("it stays until asked again").hasValue("embed");
    }

    @Test
    void removingTheDefaultMakesTheOnlyOtherOneTheDefault() throws Exception {
        add("chat");
        add("embed");
        DesiredModels left = remove("chat");
        assertThat(left.counter()).isEqualTo(3);
        assertThat(left.byDefault()).hasValue("embed");
        assertThat(left.models().keySet()).containsExactly("embed");
    }

    @Test
    void removingTheDefaultOfSeveralIsRefusedWithWhatToTypeFirst() throws Exception {
        add("chat");
        add("embed");
        add("rank");
        assertThatThrownBy(() -> remove("chat"))
                .hasMessageContaining("CFG-INVALID")
                .hasMessageContaining("fleet desire device-1 embed 1.0.0 --default");
        assertThat(stored().counter()).as("nothing was ordered").isEqualTo(3);
        assertThat(remove("rank").byDefault()).hasValue("chat");
    }

    @Test
    void removingTheLastLeavesAnOrderOfNothing() throws Exception {
        add("chat");
        DesiredModels nothing = remove("chat");
        assertThat(nothing.counter()).isEqualTo(2);
        assertThat(nothing.models()).isEmpty();
        assertThat(nothing.byDefault()).isEmpty();
        assertThat(stored()).isEqualTo(nothing);
        assertThat(add("embed").byDefault()).hasValue("embed");
        assertThat(stored().counter()).isEqualTo(3);
    }

    @Test
    void removingWhatIsNotDesiredIsRefused() throws Exception {
        assertThatThrownBy(() -> remove("chat")).hasMessageContaining("FLT-ABSENT");
        add("chat");
        assertThatThrownBy(() -> remove("embed"))
                .hasMessageContaining("FLT-ABSENT")
                .hasMessageContaining("embed");
        assertThat(stored().counter()).isEqualTo(1);
    }

    @Test
    void noMoreModelsAreDesiredThanADeviceRuns() throws Exception {
        for (int i = 0; i <= ModelName.MAX_MODELS; i++) {
            publish("m" + i, "1.0.0", Json.object());
        }
        for (int i = 0; i < ModelName.MAX_MODELS; i++) {
            add("m" + i);
        }
        String last = "m" + ModelName.MAX_MODELS;
        assertThatThrownBy(() -> add(last)).hasMessageContaining("CFG-INVALID").hasMessageContaining("at most 16");
        remove("m1");
        assertThat(add(last).models()).hasSize(ModelName.MAX_MODELS);
    }

    @Test
    void anOrderThatNoDeviceWouldReadIsRefused() throws Exception {
        for (String model : List.of("big1", "big2")) {
            publish(model, "1.0.0", Json.object().put("generation", "x".repeat(300_000)));
        }
        add("big1");
        assertThatThrownBy(() -> add("big2"))
                .hasMessageContaining("CFG-INVALID")
                .hasMessageContaining("bytes");
        assertThat(stored().models().keySet()).containsExactly("big1");
    }

    // --- files ---

    @Test
    void aFileOfTheTimeBeforeSeveralModelsIsReadAndGoesOn() throws Exception {
        ObjectNode old =
                Json.object().put("model", "chat").put("version", "1.0.0").put("counter", 7);
        old.set("rollout", TERMS.toJson());
        Files.write(file(), Json.write(old));
        DesiredModels read = stored();
        assertThat(read.counter()).isEqualTo(7);
        assertThat(read.byDefault()).hasValue("chat");
        assertThat(read.models().get("chat")).isEqualTo(new DesiredModels.Wish("1.0.0", Optional.of(TERMS)));
        DesiredModels next = add("embed");
        assertThat(next.counter()).isEqualTo(8);
        assertThat(next.byDefault()).hasValue("chat");
        assertThat(stored()).isEqualTo(next);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"counter\":1}",
                "{\"counter\":0,\"models\":{}}",
                "{\"counter\":1,\"models\":[]}",
                "{\"counter\":1,\"models\":{\"chat\":{\"version\":\"1\"}}}",
                "{\"counter\":1,\"default\":\"embed\",\"models\":{\"chat\":{\"version\":\"1\"}}}",
                "{\"counter\":1,\"default\":\"chat\",\"models\":{}}",
                "{\"counter\":1,\"default\":\"chat\",\"models\":{\"chat\":{\"version\":\"a/b\"}}}",
                "{\"counter\":1,\"model\":\"ch@t\",\"version\":\"1\"}"
            })
    void aFileThatDoesNotHoldIsRefused(String text) throws Exception {
        Files.writeString(file(), text);
        assertThatThrownBy(this::stored).hasMessageContaining("CFG-INVALID");
    }
}
