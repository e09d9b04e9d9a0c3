package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What ten clients really send, to a server with a model that chats and one that embeds. */
class RecordedRequestsTest {
    private static final List<Path> PLACES = List.of(
            Path.of("../../../shared/requests/recorded.jsonl"), Path.of("../../shared/requests/recorded.jsonl"));

    @TempDir
    Path folder;

    @Test
    void everyRequestWithoutToolsAndSchemasIsAnswered() throws Exception {
        Optional<Path> recorded = PLACES.stream().filter(Files::exists).findFirst();
        String missing = "no recorded requests in ../shared/requests beside the repository";
        if (recorded.isEmpty() && "required".equals(System.getenv("HOLDFAST_FIXTURES"))) {
            fail(missing);
        }
        assumeTrue(recorded.isPresent(), missing);
        TinyStore store = new TinyStore(folder.resolve("store"));
        Slot chat = Slot.read(store.add("1.0.0", 1, TinyModel.Flaw.NONE)).orThrow();
        Slot embed = Slot.read(store.addEncoder("embed", "1.0.0", 8)).orThrow();
        store.point(Pointer.NOTHING
                .with(new PointerEntry(chat, Optional.empty()))
                .with(new PointerEntry(embed, Optional.empty()))
                .withDefault("intent"));
        SocketPaths sockets = new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
        List<String> wrong = new ArrayList<>();
        int answered = 0;
        int left = 0;
        try (InferenceDaemon _ = InferenceDaemon.start(InferenceConfig.of(
                store.folder(), sockets, new InferenceConfig.Limits(2, 4, 1024, 1, CacheType.DEFAULT, 0)))) {
            Curl api = new Curl(sockets.inference());
            for (String line : Files.readAllLines(recorded.get())) {
                JsonNode request = TinyStore.node(line);
                JsonNode body = request.path("body");
                String path = request.get("path").textValue();
                if (!body.isObject()) {
                    assertThat(api.get(path).status()).as(line).isEqualTo(200);
                    answered++;
                    continue;
                }
                if (body.path("tools").isArray()
                        || body.has("response_format")
                        || body.path("text").has("format")) {
                    left++;
                    continue;
                }
                ObjectNode sent = (ObjectNode) body.deepCopy();
                sent.put("model", path.equals("/v1/embeddings") ? "embed" : "intent");
                Curl.Answer answer = api.post(path, sent.toString());
                if (answer.status() == 200 && !answer.body().contains("\"error\":{")) {
                    answered++;
                } else {
                    wrong.add(answer.status() + " " + answer.body() + " to " + line);
                }
            }
        }
        System.out.printf("recorded requests: %d answered, %d with tools or schemas left out%n", answered, left);
        assertThat(wrong).isEmpty();
        assertThat(answered).isGreaterThan(40);
    }
}
