package dev.holdfast.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.Fixtures;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.gguf.GgufWriter;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;

/**
 * Texts and the tokens that llama.cpp cuts them into, for each pre-tokenizer.
 *
 * <p>The vocabulary is learned from the texts themselves without cutting them into words first. So it has merges across every
 * boundary that a pre-tokenizer knows, and each cut shows in the tokens.
 *
 * @param tokens for each name of a pre-tokenizer one row of tokens a text
 */
public record PreTokenizerVectors(List<String> texts, Map<String, List<int[]>> tokens) {
    public static final List<String> NAMES = List.of("gpt-2", "smollm", "llama-bpe", "qwen2");

    private static final String RESOURCE = "pre-tokenizers.json";
    private static final int TEXTS = 250;
    private static final int MERGES = 1500;
    private static final int CONTROL = 3;
    private static final String[] BITS = {
        " ",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\r\n",
        "\t",
        "\u00a0",
        "\u3000",
        "\u0085",
        "'",
        "'s",
        "'S",
        "'T",
        "'Re",
        "'ve",
        "'LL",
        "'d",
        "'\u017f",
        "n't",
        "a",
        "the",
        "Zoo",
        "\u00e9",
        "\u00c4rger",
        "\u4e2d\u6587",
        "\u0440\u0443",
        "\u0bb3\u0bcd",
        "\u00aa",
        "\u02b0",
        "1",
        "23",
        "4567",
        "\u0664",
        "\u00bd",
        "\u2167",
        "\u00b2",
        ".",
        ",",
        "!?",
        "...",
        "-",
        "_",
        "(",
        "\")",
        "/",
        "\u20ac",
        "+=",
        "\ud83d\ude80",
        "\ud83c\udfff",
        "\u200d",
        "\u0301",
        "e\u0301",
        "\ufeff",
        "\u00ad",
        "\ufffd"
    };

    /** What is in the test's resources. */
    public static PreTokenizerVectors read() throws IOException {
        try (InputStream in = Objects.requireNonNull(PreTokenizerVectors.class.getResourceAsStream(RESOURCE))) {
            JsonNode root = new ObjectMapper().readTree(in);
            List<String> texts = new ArrayList<>();
            root.get("texts").forEach(text -> texts.add(text.textValue()));
            Map<String, List<int[]>> tokens = new HashMap<>();
            for (String name : NAMES) {
                List<int[]> rows = new ArrayList<>();
                root.get("tokens").get(name).forEach(row -> rows.add(Fixtures.ints(row)));
                tokens.put(name, rows);
            }
            return new PreTokenizerVectors(texts, tokens);
        }
    }

    /** Writes the vocabulary of {@code texts} with the pre-tokenizer {@code name}, as a model file without weights. */
    public static void writeVocabulary(List<String> texts, String name, Path file) throws IOException {
        List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        for (int b = 0; b < 256; b++) {
            tokens.add(String.valueOf(ByteAlphabet.of(b)));
        }
        List<String> merges = new ArrayList<>();
        learn(texts, tokens, merges);
        int[] kinds = new int[tokens.size()];
        Arrays.fill(kinds, 1);
        Arrays.fill(kinds, 0, CONTROL, 3);
        new GgufWriter()
                .put("general.architecture", "llama")
                .put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.pre", name)
                .put("tokenizer.ggml.tokens", GgufValue.Texts.of(tokens))
                .put("tokenizer.ggml.token_type", GgufValue.Numbers.ofInts(kinds))
                .put("tokenizer.ggml.merges", GgufValue.Texts.of(merges))
                .put("tokenizer.ggml.bos_token_id", 1)
                .put("tokenizer.ggml.eos_token_id", 2)
                .write(file);
    }

    /** Joins the most frequent pair again and again; of equals the one whose numbers are smallest. */
    private static void learn(List<String> texts, List<String> tokens, List<String> merges) {
        List<int[]> rows = new ArrayList<>();
        for (String text : texts) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            int[] row = new int[bytes.length];
            Arrays.setAll(row, i -> CONTROL + Byte.toUnsignedInt(bytes[i]));
            rows.add(row);
        }
        while (merges.size() < MERGES) {
            Map<Long, Integer> counts = new HashMap<>();
            for (int[] row : rows) {
                for (int i = 0; i + 1 < row.length; i++) {
                    counts.merge(MergeTable.pair(row[i], row[i + 1]), 1, Integer::sum);
                }
            }
            long best = counts.entrySet().stream()
                    .min(Map.Entry.<Long, Integer>comparingByValue()
                            .reversed()
                            .thenComparing(Map.Entry.comparingByKey()))
                    .orElseThrow()
                    .getKey();
            int left = (int) (best >>> 32);
            int right = (int) best;
            merges.add(tokens.get(left) + " " + tokens.get(right));
            String whole = tokens.get(left) + tokens.get(right);
            // Two ways may lead to one word.
            int id = tokens.contains(whole) ? tokens.indexOf(whole) : tokens.size();
            if (id == tokens.size()) {
                tokens.add(whole);
            }
            rows.replaceAll(row -> join(row, left, right, id));
        }
    }

    private static int[] join(int[] row, int left, int right, int whole) {
        int[] joined = new int[row.length];
        int length = 0;
        for (int i = 0; i < row.length; i++) {
            boolean pair = i + 1 < row.length && row[i] == left && row[i + 1] == right;
            joined[length++] = pair ? whole : row[i];
            i += pair ? 1 : 0;
        }
        return Arrays.copyOf(joined, length);
    }

    static List<String> randomTexts(long seed, int count) {
        Random random = new Random(seed);
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            StringBuilder text = new StringBuilder();
            for (int n = random.nextInt(1, 16); n > 0; n--) {
                text.append(BITS[random.nextInt(BITS.length)]);
            }
            texts.add(text.toString());
        }
        return texts;
    }

    /** Makes the resource anew: {@code llama-tokenize} and the file to write. */
    public static void main(String[] args) throws Exception {
        List<String> texts = randomTexts(20261125, TEXTS);
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode root = mapper.createObjectNode();
        ArrayNode listed = root.putArray("texts");
        texts.forEach(listed::add);
        ObjectNode tokens = root.putObject("tokens");
        Path vocabulary = Files.createTempFile("vocabulary", ".gguf");
        Path input = Files.createTempFile("text", ".txt");
        for (String name : NAMES) {
            writeVocabulary(texts, name, vocabulary);
            ArrayNode rows = tokens.putArray(name);
            for (String text : texts) {
                Files.writeString(input, text);
                Process peer = new ProcessBuilder(
                                args[0],
                                "-m",
                                vocabulary.toString(),
                                "-f",
                                input.toString(),
                                "--ids",
                                "--no-bos",
                                "--no-parse-special",
                                "--no-escape",
                                "--log-disable")
                        .redirectError(ProcessBuilder.Redirect.DISCARD)
                        .start();
                rows.add(mapper.readTree(peer.getInputStream()));
            }
        }
        Files.delete(input);
        Files.delete(vocabulary);
        Files.writeString(
                Path.of(args[1]), root.toString().replace("],\"", "],\n\"").replace("],[", "],\n[") + "\n");
    }
}
