package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/** Which fields the bodies have that ask for text. */
final class CompletionGrammar {
    /** How an answer is made, whatever the form of the question. */
    private static final Set<String> MAKING = Set.of(
            "model",
            "stream",
            "temperature",
            "top_k",
            "top_p",
            "min_p",
            "repetition_penalty",
            "presence_penalty",
            "frequency_penalty",
            "seed",
            "stop",
            "ignore_eos",
            "tokens_per_second");

    /** For accounts, caches and stores that a device does not have. */
    private static final Map<String, Predicate<JsonNode>> ACCOUNT = Map.of(
            "store", ApiGrammar.FLAG,
            "metadata", ApiGrammar.METADATA,
            "user", ApiGrammar.TEXT,
            "safety_identifier", ApiGrammar.TEXT,
            "prompt_cache_key", ApiGrammar.TEXT,
            "prompt_cache_retention", ApiGrammar.TEXT,
            "prompt_cache_options", JsonNode::isObject,
            "service_tier", ApiGrammar.TEXT);

    /** They change what is answered, or reach for what belongs to the operator. */
    private static final Set<String> NEVER = Set.of(
            "grammar",
            "json_schema",
            "guided_json",
            "guided_regex",
            "guided_choice",
            "guided_grammar",
            "structured_outputs",
            "chat_template",
            "chat_template_kwargs",
            "repeat_penalty",
            "prompt_logprobs",
            "n_probs",
            "cache_salt",
            "id_slot",
            "n_discard",
            "n_keep",
            "lora",
            "previous_response_id",
            "conversation");

    static final ApiGrammar CHAT = new ApiGrammar(
            union(
                    MAKING,
                    Set.of(
                            "messages",
                            "n",
                            "max_tokens",
                            "max_completion_tokens",
                            "stream_options",
                            "logprobs",
                            "top_logprobs")),
            union(
                    ACCOUNT,
                    Map.of(
                            "logit_bias", ApiGrammar.EMPTY,
                            "verbosity", ApiGrammar.TEXT,
                            "reasoning_effort", ApiGrammar.TEXT,
                            "modalities",
                                    value -> value.isArray()
                                            && value.size() == 1
                                            && value.get(0).asText().equals("text"),
                            "parallel_tool_calls", ApiGrammar.FLAG,
                            "response_format",
                                    value -> value.isObject()
                                            && value.path("type").asText().equals("text")),
                    Map.of(
                            "tools",
                            ApiGrammar.EMPTY,
                            "tool_choice",
                            ApiGrammar.word("none", "auto"),
                            "functions",
                            ApiGrammar.EMPTY,
                            "function_call",
                            ApiGrammar.word("none", "auto"))),
            union(NEVER, Set.of("audio", "prediction", "web_search_options")));

    static final ApiGrammar TEXT = new ApiGrammar(
            union(MAKING, Set.of("prompt", "n", "max_tokens", "stream_options", "logprobs")),
            union(
                    ACCOUNT,
                    Map.of(
                            "logit_bias", ApiGrammar.EMPTY,
                            "best_of", ApiGrammar.ONE,
                            "echo", ApiGrammar.FALSE,
                            "suffix", ApiGrammar.EMPTY)),
            NEVER);

    static final ApiGrammar RESPONSE = new ApiGrammar(
            union(MAKING, Set.of("input", "instructions", "max_output_tokens", "include", "top_logprobs")),
            union(
                    ACCOUNT,
                    Map.of(
                            "truncation",
                            ApiGrammar.word("disabled"),
                            "text",
                            CompletionGrammar::plainText,
                            "reasoning",
                            JsonNode::isObject,
                            "background",
                            ApiGrammar.FALSE,
                            "stream_options",
                            JsonNode::isObject,
                            "parallel_tool_calls",
                            ApiGrammar.FLAG),
                    Map.of(
                            "tools",
                            ApiGrammar.EMPTY,
                            "tool_choice",
                            ApiGrammar.word("none", "auto"),
                            "max_tool_calls",
                            JsonNode::isNumber)),
            union(NEVER, Set.of("prompt")));

    static final ApiGrammar STREAM_OPTIONS =
            new ApiGrammar(Set.of("include_usage"), Map.of("include_obfuscation", ApiGrammar.FLAG), Set.of());

    static final ApiGrammar EMBEDDING =
            new ApiGrammar(Set.of("model", "input", "encoding_format"), ACCOUNT, Set.of("dimensions"));

    private CompletionGrammar() {}

    private static boolean plainText(JsonNode text) {
        return text.isObject()
                && (!text.hasNonNull("format")
                        || text.path("format").path("type").asText().equals("text"));
    }

    private static Set<String> union(Set<String> one, Set<String> other) {
        Set<String> all = new HashSet<>(one);
        all.addAll(other);
        return Set.copyOf(all);
    }

    @SafeVarargs
    private static Map<String, Predicate<JsonNode>> union(Map<String, Predicate<JsonNode>>... maps) {
        Map<String, Predicate<JsonNode>> all = new HashMap<>();
        for (Map<String, Predicate<JsonNode>> map : maps) {
            all.putAll(map);
        }
        return Map.copyOf(all);
    }
}
