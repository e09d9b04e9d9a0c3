package dev.holdfast.engine.text;

import dev.holdfast.gguf.GgufValue;
import dev.holdfast.gguf.GgufWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Model files without weights, whose vocabularies have the special tokens of a family and a few words. The Jinja texts are
 * written for these tests: they have a family's markers where its own has them, and nothing else of it.
 */
public final class ChatVocabularies {
    private static final int NORMAL = 1;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int BYTE = 6;

    /**
     * What a file has.
     *
     * @param model {@code gpt2} or {@code llama}
     * @param pre name of the pre-tokenizer, for {@code gpt2}
     * @param control control tokens
     * @param added tokens of the kind user-defined
     * @param words words that are one token
     * @param bos the token that begins a text; empty for none
     * @param addBos whether the file says that it is added
     * @param jinja the chat template in the file; empty for none
     */
    public record Kind(
            String model,
            String pre,
            List<String> control,
            List<String> added,
            List<String> words,
            String bos,
            boolean addBos,
            String jinja) {
        public Kind {
            control = List.copyOf(control);
            added = List.copyOf(added);
            words = List.copyOf(words);
        }

        public Kind withJinja(String other) {
            return new Kind(model, pre, control, added, words, bos, addBos, other);
        }

        public Kind withControl(List<String> others) {
            return new Kind(model, pre, others, added, words, bos, addBos, jinja);
        }

        public Kind withBegin(String begin, boolean added) {
            return new Kind(model, pre, control, this.added, words, begin, added, jinja);
        }

        public Kind withWords(List<String> others) {
            return new Kind(model, pre, control, added, others, bos, addBos, jinja);
        }
    }

    private static final List<String> ROLES = List.of("system", "user", "assistant", "model", "tool");
    private static final String CHATML_JINJA =
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}";

    public static final Kind CHATML = new Kind(
            "gpt2",
            "qwen2",
            List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
            List.of(),
            ROLES,
            "<|endoftext|>",
            false,
            CHATML_JINJA);
    public static final Kind QWEN = new Kind(
            "gpt2",
            "qwen2",
            List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
            List.of("<tool_response>", "</tool_response>", "<think>", "</think>"),
            ROLES,
            "<|endoftext|>",
            false,
            CHATML_JINJA + "{{ '<|im_start|>user\n<tool_response>\n' }}");
    public static final Kind SMOLLM2 = new Kind(
            "gpt2",
            "smollm",
            List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
            List.of(),
            ROLES,
            "<|im_start|>",
            false,
            CHATML_JINJA + "{# an assistant named SmolLM #}");
    public static final Kind SMOLLM3 = new Kind(
            "gpt2",
            "llama-bpe",
            List.of("<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"),
            List.of("<think>", "</think>"),
            ROLES,
            "<|im_end|>",
            false,
            CHATML_JINJA + "{# /no_think, Custom Instructions #}");
    public static final Kind LLAMA3 = new Kind(
            "gpt2",
            "llama-bpe",
            List.of(
                    "<|begin_of_text|>",
                    "<|end_of_text|>",
                    "<|start_header_id|>",
                    "<|end_header_id|>",
                    "<|eom_id|>",
                    "<|eot_id|>"),
            List.of(),
            List.of("system", "user", "assistant", "ip", "ython", "\n\n"),
            "<|begin_of_text|>",
            true,
            "{{ bos_token }}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>{# ipython #}");
    public static final Kind GEMMA3 = new Kind(
            "llama",
            "",
            List.of("<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"),
            List.of("\n", "\n\n"),
            ROLES,
            "<bos>",
            true,
            "{{ bos_token }}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n");
    public static final Kind GRANITE3 = new Kind(
            "gpt2",
            "refact",
            List.of("<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>", "<|tool_call|>"),
            List.of(),
            List.of("system", "user", "assistant", "tool", "response"),
            "<|end_of_text|>",
            false,
            "<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}<|end_of_text|>\n{# tool_response #}");
    public static final Kind GRANITE4 = new Kind(
            "gpt2",
            "refact",
            List.of("<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>"),
            List.of("<tool_response>", "</tool_response>"),
            ROLES,
            "<|end_of_text|>",
            false,
            "<|start_of_role|>user<|end_of_role|>{{ m.content }}<|end_of_text|>\n{{ '<tool_response>' }}");
    public static final Kind PHI3 = new Kind(
            "llama",
            "",
            List.of("<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"),
            List.of(),
            ROLES,
            "<s>",
            false,
            "{% if m.role == 'user' %}<|user|>\n{{ m.content }}<|end|>\n{% endif %}<|assistant|>\n");

    private ChatVocabularies() {}

    public static void write(Kind kind, Path file) throws IOException {
        boolean bpe = kind.model.equals("gpt2");
        Set<String> tokens = new LinkedHashSet<>();
        List<Integer> kinds = new ArrayList<>();
        List<String> merges = new ArrayList<>();
        add(tokens, kinds, List.of("<unk>"), 2);
        add(tokens, kinds, kind.control, CONTROL);
        for (int b = 0; b < 256; b++) {
            add(
                    tokens,
                    kinds,
                    List.of(bpe ? String.valueOf(ByteAlphabet.of(b)) : "<0x%02X>".formatted(b)),
                    bpe ? NORMAL : BYTE);
        }
        add(tokens, kinds, kind.added, USER_DEFINED);
        if (!bpe) {
            add(tokens, kinds, List.of(String.valueOf(SentencePieceTokenizer.SPACE)), NORMAL);
            for (char c = '!'; c <= '~'; c++) {
                add(tokens, kinds, List.of(String.valueOf(c)), NORMAL);
            }
        }
        for (String word : kind.words) {
            String text = bpe ? ByteAlphabet.write(word.getBytes(StandardCharsets.UTF_8)) : word;
            for (int end = 2; end <= text.length(); end++) {
                if (tokens.contains(text.substring(0, end))) {
                    continue;
                }
                merges.add(text.substring(0, end - 1) + " " + text.charAt(end - 1));
                add(tokens, kinds, List.of(text.substring(0, end)), NORMAL);
            }
        }
        List<String> listed = new ArrayList<>(tokens);
        float[] scores = new float[listed.size()];
        for (int id = 0; id < scores.length; id++) {
            scores[id] = kinds.get(id) == NORMAL ? listed.get(id).length() * 1000f - id : 0;
        }
        GgufWriter writer = new GgufWriter()
                .put("general.architecture", "llama")
                .put("tokenizer.ggml.model", kind.model)
                .put("tokenizer.ggml.tokens", GgufValue.Texts.of(listed))
                .put("tokenizer.ggml.scores", GgufValue.Numbers.ofFloats(scores))
                .put(
                        "tokenizer.ggml.token_type",
                        GgufValue.Numbers.ofInts(
                                kinds.stream().mapToInt(Integer::intValue).toArray()))
                .put("tokenizer.ggml.unknown_token_id", 0)
                .put("tokenizer.ggml.add_bos_token", kind.addBos);
        if (!kind.bos.isEmpty()) {
            writer.put("tokenizer.ggml.bos_token_id", listed.indexOf(kind.bos));
        }
        writer.put("tokenizer.ggml.eos_token_id", 1);
        if (bpe) {
            writer.put("tokenizer.ggml.pre", kind.pre).put("tokenizer.ggml.merges", GgufValue.Texts.of(merges));
        } else {
            // Gemma adds no space before a text, Phi-3 does.
            writer.put("tokenizer.ggml.add_space_prefix", kind.bos.equals("<s>"));
        }
        if (!kind.jinja.isEmpty()) {
            writer.put("tokenizer.chat_template", kind.jinja);
        }
        writer.write(file);
    }

    private static void add(Set<String> tokens, List<Integer> kinds, List<String> more, int kind) {
        for (String token : more) {
            if (!tokens.add(token)) {
                throw new IllegalArgumentException("two tokens " + token);
            }
        }
        kinds.addAll(Collections.nCopies(more.size(), kind));
    }
}
