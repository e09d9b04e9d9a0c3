package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.Penalties;
import dev.holdfast.engine.Sampling;
import dev.holdfast.engine.text.Prompt;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * The body of {@code POST /v1/chat/completions} or {@code /v1/completions}, by the classes of {@link CompletionGrammar}.
 *
 * @param model the model asked for, or null
 * @param requests one for each answer, in order of the prompts
 * @param choices answers to each prompt
 * @param stream whether the answer comes as server-sent events
 * @param includeUsage whether a stream ends with the token counts
 * @param ignored fields that nobody knows
 */
record ChatCall(
        @Nullable String model,
        List<ChatRequest> requests,
        int choices,
        boolean stream,
        boolean includeUsage,
        IgnoredFields ignored)
        implements ApiCall {
    static final int MAX_BODY_BYTES = 1024 * 1024;

    private static final int MAX_CHOICES = 8;
    private static final int MAX_PROMPTS = 32;
    private static final int MAX_STOPS = 4;
    private static final int MAX_STOP_CHARS = 256;
    static final long MAX_TOKENS = 1 << 20;
    static final long DEFAULT_TOKENS = 512;
    private static final int MAX_TOKENS_PER_SECOND = 1000;

    ChatCall {
        requests = List.copyOf(requests);
    }

    @Override
    public Optional<String> reserved() {
        return requests.getFirst().alternatives().isPresent() ? Optional.of("logprobs") : Optional.empty();
    }

    /** Reads a body with {@code messages}. */
    static Verdict<ChatCall> read(byte[] body) {
        return fields(body, fields -> {
            IgnoredFields ignored = new IgnoredFields();
            CompletionGrammar.CHAT.check(fields, ignored);
            Prompt prompt = new Prompt.Conversation(ChatMessages.read(fields, ignored));
            long tokens = fields.integerOr("max_tokens", 1, MAX_TOKENS, DEFAULT_TOKENS);
            tokens = fields.integerOr("max_completion_tokens", 1, MAX_TOKENS, tokens);
            return call(fields, List.of(prompt), tokens, Logprobs.ofChat(fields), ignored);
        });
    }

    /** Reads a body with {@code prompt}, a text or several. */
    static Verdict<ChatCall> readPlain(byte[] body) {
        return fields(body, fields -> {
            IgnoredFields ignored = new IgnoredFields();
            CompletionGrammar.TEXT.check(fields, ignored);
            long tokens = fields.integerOr("max_tokens", 1, MAX_TOKENS, DEFAULT_TOKENS);
            return call(fields, prompts(fields), tokens, Logprobs.ofText(fields), ignored);
        });
    }

    /** Reads the fields of a body that is an object. */
    interface Reading<T> {
        T read(Fields fields) throws RejectedException;
    }

    static <T> Verdict<T> fields(byte[] body, Reading<T> reading) {
        return Json.readObject(body, MAX_BODY_BYTES).then(node -> Verdict.of(() -> reading.read(Fields.of(node))));
    }

    private static ChatCall call(
            Fields fields, List<Prompt> prompts, long maxTokens, OptionalInt alternatives, IgnoredFields ignored)
            throws RejectedException {
        boolean usage = false;
        if (fields.has("stream_options")) {
            Fields options = fields.object("stream_options");
            CompletionGrammar.STREAM_OPTIONS.check(options, ignored);
            usage = options.flagOr("include_usage", false);
        }
        int choices = (int) fields.integerOr("n", 1, MAX_CHOICES, 1);
        List<ChatRequest> requests = new ArrayList<>();
        for (Prompt prompt : prompts) {
            for (int choice = 0; choice < choices; choice++) {
                requests.add(request(fields, prompt, maxTokens, choice, alternatives));
            }
        }
        return new ChatCall(model(fields), requests, choices, fields.flagOr("stream", false), usage, ignored);
    }

    static @Nullable String model(Fields fields) throws RejectedException {
        return fields.has("model") ? fields.textOrEmpty("model", ModelName.MAX_ID_CHARS) : null;
    }

    /** @param choice of several answers to one prompt each has a seed of its own */
    static ChatRequest request(Fields fields, Prompt prompt, long maxTokens, int choice, OptionalInt alternatives)
            throws RejectedException {
        return new ChatRequest(
                prompt,
                (int) maxTokens,
                sampling(fields, choice),
                stop(fields),
                fields.flagOr("ignore_eos", false),
                (int) fields.integerOr("tokens_per_second", 1, MAX_TOKENS_PER_SECOND, 0L),
                alternatives);
    }

    private static Sampling sampling(Fields fields, int choice) throws RejectedException {
        Penalties penalties = new Penalties(
                // Zero would divide by zero; what is below a hundredth is not a useful penalty.
                fields.numberOr("repetition_penalty", 0.01, 4, 1),
                fields.numberOr("presence_penalty", -2, 2, 0),
                fields.numberOr("frequency_penalty", -2, 2, 0));
        long seed = fields.integerOr(
                "seed",
                Long.MIN_VALUE,
                Long.MAX_VALUE,
                ThreadLocalRandom.current().nextLong());
        return new Sampling(
                fields.numberOr("temperature", 0, 2, 0),
                (int) fields.integerOr("top_k", 0, Integer.MAX_VALUE, 0L),
                // Zero is allowed on the wire, and means the most likely token only.
                Math.max(fields.numberOr("top_p", 0, 1, 1), Double.MIN_NORMAL),
                fields.numberOr("min_p", 0, 1, 0),
                penalties,
                seed + choice);
    }

    private static List<Prompt> prompts(Fields fields) throws RejectedException {
        JsonNode node = fields.node().path("prompt");
        List<Prompt> prompts = new ArrayList<>();
        for (JsonNode text : node.isArray() ? node : List.of(node)) {
            if (text.isIntegralNumber() || text.isArray()) {
                throw ApiGrammar.unsupported("prompt", "prompt as token ids is not offered: send text");
            }
            if (!text.isTextual() || prompts.size() == MAX_PROMPTS) {
                throw fields.wrong("prompt", "a text or an array of up to " + MAX_PROMPTS + " texts");
            }
            prompts.add(new Prompt.Text(text.textValue()));
        }
        if (prompts.isEmpty()) {
            throw fields.wrong("prompt", "a text or an array of up to " + MAX_PROMPTS + " texts");
        }
        return prompts;
    }

    private static List<String> stop(Fields fields) throws RejectedException {
        if (!fields.has("stop")) {
            return List.of();
        }
        JsonNode node = fields.node().path("stop");
        List<String> stop = new ArrayList<>();
        for (JsonNode word : node.isArray() ? node : List.of(node)) {
            if (!word.isTextual()
                    || word.textValue().isEmpty()
                    || word.textValue().length() > MAX_STOP_CHARS
                    // Half a character would cut an answer in the middle of one.
                    || !StandardCharsets.UTF_8.newEncoder().canEncode(word.textValue())
                    || stop.size() == MAX_STOPS) {
                throw fields.wrong("stop", "a text or up to " + MAX_STOPS + " texts");
            }
            stop.add(word.textValue());
        }
        return stop;
    }
}
