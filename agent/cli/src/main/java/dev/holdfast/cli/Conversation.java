package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.InferencePaths;
import dev.holdfast.control.Refusal;
import dev.holdfast.control.UnixHttpClient;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What both sides said, and the way to the next answer, which is printed as it comes. Belongs to one thread. */
final class Conversation {
    private static final Duration QUICK = Duration.ofSeconds(20);
    private static final int MAX_LIST_BYTES = 256 * 1024;

    /** How the answers are to be. */
    record Wishes(Optional<String> system, Optional<Integer> maxTokens, Optional<Double> temperature) {}

    private record Turn(String role, String content) {}

    private final UnixHttpClient http;
    private final Wishes wishes;
    private final boolean terminal;
    private final boolean stats;
    private final List<Turn> turns = new ArrayList<>();
    private Optional<String> model = Optional.empty();

    /**
     * @param terminal whether the answer goes to a terminal, which obeys control characters
     * @param stats whether speed and tokens are told
     */
    Conversation(Path socket, Wishes wishes, boolean terminal, boolean stats) {
        this.http = new UnixHttpClient(socket);
        this.wishes = wishes;
        this.terminal = terminal;
        this.stats = stats;
    }

    void useModel(Optional<String> name) {
        model = name;
    }

    /** Whether a model is in service under this name. */
    boolean serves(String name) throws IOException {
        JsonNode list = http.get(InferencePaths.MODELS, new UnixHttpClient.Bounds(MAX_LIST_BYTES, QUICK))
                .body();
        for (JsonNode one : list.path("data")) {
            if (one.path("id").asText().equals(name)) {
                return true;
            }
        }
        return false;
    }

    void clear() {
        turns.clear();
    }

    /**
     * Asks, and prints the answer. Where the conversation is too long for the model, the oldest question and its answer are dropped,
     * and it is asked again. A question that got no answer is not kept.
     */
    void ask(String question) throws IOException, RejectedException {
        turns.add(new Turn("user", question));
        Answer answer = new Answer();
        boolean whole = false;
        try {
            while (true) {
                try {
                    answer(answer);
                    whole = true;
                    return;
                } catch (RejectedException e) {
                    if (e.rejection().code() != Code.API_CONTEXT || turns.size() < 3 || answer.hasText()) {
                        throw e;
                    }
                    turns.subList(0, 2).clear();
                    System.err.println("(the conversation is too long for the model: its oldest turn is forgotten)");
                }
            }
        } finally {
            if (whole || answer.hasText()) {
                turns.add(new Turn("assistant", answer.text.toString()));
                if (!whole) {
                    System.out.println();
                }
            } else {
                // Two questions in a row are not what a model was trained on.
                turns.removeLast();
            }
        }
    }

    private void answer(Answer answer) throws IOException, RejectedException {
        answer.askedNanos = System.nanoTime();
        Optional<UnixHttpClient.Reply> refused =
                http.stream(InferencePaths.CHAT, body(), UnixHttpClient.StreamBounds.DEFAULT, answer::event);
        if (refused.isPresent()) {
            throw new RejectedException(Refusal.read(refused.get().body(), Code.API_INTERNAL));
        }
        System.out.println();
        if (stats) {
            System.err.println(answer.speed());
        }
    }

    private ObjectNode body() {
        ObjectNode body = Json.object().put("stream", true);
        model.ifPresent(name -> body.put("model", name));
        body.putObject("stream_options").put("include_usage", true);
        wishes.maxTokens().ifPresent(most -> body.put("max_tokens", most));
        wishes.temperature().ifPresent(value -> body.put("temperature", value));
        ArrayNode messages = body.putArray("messages");
        wishes.system()
                .ifPresent(text -> messages.addObject().put("role", "system").put("content", text));
        turns.forEach(turn -> messages.addObject().put("role", turn.role()).put("content", turn.content()));
        return body;
    }

    /** One answer while it comes. */
    private final class Answer {
        private final StringBuilder text = new StringBuilder();
        private long askedNanos;
        private long firstNanos;
        private long lastNanos;
        private @Nullable JsonNode usage;

        boolean hasText() {
            return !text.isEmpty();
        }

        void event(JsonNode event) throws IOException, RejectedException {
            if (event.has("error")) {
                throw new RejectedException(Refusal.read(event, Code.API_INTERNAL));
            }
            if (event.path("usage").isObject()) {
                usage = event.path("usage");
            }
            String piece =
                    event.path("choices").path(0).path("delta").path("content").asText("");
            if (piece.isEmpty()) {
                return;
            }
            lastNanos = System.nanoTime();
            firstNanos = text.isEmpty() ? lastNanos : firstNanos;
            text.append(piece);
            System.out.print(terminal ? TerminalText.printable(piece) : piece);
            if (System.out.checkError()) {
                throw new IOException("standard output takes no more");
            }
        }

        String speed() {
            int tokens = usage == null ? 0 : usage.path("completion_tokens").asInt();
            double seconds = (lastNanos - firstNanos) / 1e9;
            return String.format(
                    Locale.ROOT,
                    "%s tokens/s, first token after %d ms, %d tokens of prompt (%d from the cache), %d of answer",
                    tokens > 1 && seconds > 0 ? String.format(Locale.ROOT, "%.1f", (tokens - 1) / seconds) : "-",
                    hasText() ? (firstNanos - askedNanos) / 1_000_000 : 0,
                    usage == null ? 0 : usage.path("prompt_tokens").asInt(),
                    usage == null
                            ? 0
                            : usage.path("prompt_tokens_details")
                                    .path("cached_tokens")
                                    .asInt(),
                    tokens);
        }
    }
}
