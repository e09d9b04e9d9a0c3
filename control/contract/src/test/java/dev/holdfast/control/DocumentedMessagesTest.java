package dev.holdfast.control;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The examples of the page are read, and written again as they are there: it names every field and no other. */
class DocumentedMessagesTest {
    private static final Path PAGE = Path.of("../../docs/protocol/control-sockets.md");
    private static final Pattern EXAMPLE = Pattern.compile("(?ms)^```json (\\w+)\\R(.*?)^```$");

    private static final Map<String, Function<JsonNode, Verdict<ObjectNode>>> READERS = Map.of(
            "InferenceStatus",
            json -> InferenceStatus.read(json).then(status -> Verdict.accepted(status.toJson())),
            "ServingSet",
            json -> ServingSet.read(json).then(set -> Verdict.accepted(set.toJson())),
            "SlotRequest",
            json -> SlotRequest.read(json).then(request -> Verdict.accepted(request.toJson())),
            "Flip",
            json -> Flip.read(json).then(flip -> Verdict.accepted(flip.toJson())),
            "Pointer",
            json -> Pointer.read(Json.write(json)).then(pointer -> Verdict.accepted(pointer.toJson())));

    private static Map<String, JsonNode> examples() throws Exception {
        Map<String, JsonNode> examples = new LinkedHashMap<>();
        Matcher found = EXAMPLE.matcher(Files.readString(PAGE));
        while (found.find()) {
            byte[] utf8 = found.group(2).getBytes(StandardCharsets.UTF_8);
            examples.put(
                    found.group(1), Json.readObject(utf8, Pointer.MAX_BYTES).orThrow());
        }
        return examples;
    }

    @Test
    void everyExampleReadsAndIsWrittenAsItIs() throws Exception {
        Map<String, JsonNode> examples = examples();
        assertThat(examples.keySet()).containsExactlyInAnyOrderElementsOf(READERS.keySet());
        for (String name : examples.keySet()) {
            ObjectNode written =
                    requireNonNull(READERS.get(name)).apply(examples.get(name)).orThrow();
            // As text and back, because a small number that was read is another type of node than one that was put.
            assertThat(Json.readObject(Json.write(written), Pointer.MAX_BYTES))
                    .as(name)
                    .isEqualTo(Verdict.accepted(examples.get(name)));
        }
    }

    @Test
    void theExampleOfThePointerIsWhatItsPageSays() throws Exception {
        Pointer pointer = Pointer.read(Json.write(requireNonNull(examples().get("Pointer"))))
                .orThrow();
        assertThat(pointer.byDefault()).contains("intent");
        assertThat(pointer.serving("intent").map(Slot::version)).contains("2.0.0");
        assertThat(pointer.fallback("intent").map(Slot::version)).contains("1.0.0");
        assertThat(pointer.fallback("embed")).isEqualTo(Optional.empty());
    }
}
