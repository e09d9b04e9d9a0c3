package dev.holdfast.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.Fixtures;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a file may say of its tokenizer, and what it must. */
class TokenizerFilesTest {
    @TempDir
    Path folder;

    /** A byte-level BPE of single bytes, and no tensors. */
    private static GgufWriter bytes() {
        List<String> tokens = new ArrayList<>();
        for (int b = 0; b < 256; b++) {
            tokens.add(String.valueOf(ByteAlphabet.of(b)));
        }
        return new GgufWriter()
                .put("general.architecture", "unheard-of")
                .put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.tokens", GgufValue.Texts.of(tokens))
                .put("tokenizer.ggml.merges", GgufValue.Texts.of(List.of()));
    }

    private static GgufWriter wordPieces() {
        return new GgufWriter()
                .put("general.architecture", "bert")
                .put("tokenizer.ggml.model", "bert")
                .put(
                        "tokenizer.ggml.tokens",
                        GgufValue.Texts.of(List.of("[UNK]", "[CLS]", "[SEP]", "\u2581e", "\u2581\u00e9", "\u2581E")))
                .put("tokenizer.ggml.unknown_token_id", 0)
                .put("tokenizer.ggml.cls_token_id", 1)
                .put("tokenizer.ggml.seperator_token_id", 2);
    }

    private Verdict<int[]> tokens(GgufWriter writer, String text) throws Exception {
        Path file = folder.resolve("v.gguf");
        writer.write(file);
        return ModelRunner.tokenize(file, text);
    }

    private static Rejection reason(Verdict<?> verdict) {
        return verdict instanceof Verdict.Rejected<?> rejected
                ? rejected.reason()
                : org.assertj.core.api.Assertions.fail("accepted");
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-spm", "phi-3", "gpt-2", "bert-bge"})
    void aFileOfAVocabularyAloneIsTokenizedWith(String name) throws Exception {
        String base = "tokenizers/ggml-vocab-" + name + ".gguf";
        String[] texts = Files.readString(Fixtures.path(base + ".inp")).split("\n__ggml_vocab_test__\n", -1);
        int[] expected = Arrays.stream(Files.readAllLines(Fixtures.path(base + ".out"))
                        .get(0)
                        .trim()
                        .split(" "))
                .mapToInt(Integer::parseInt)
                .toArray();
        assertThat(ModelRunner.tokenize(Fixtures.path(base), texts[0]).orThrow())
                .containsSubsequence(expected);
        // Running it is another matter, and is told so.
        assertThat(reason(ModelRunner.open(Fixtures.path(base), 64, 1)).code())
                .isIn(Code.GGUF_TENSOR, Code.GGUF_UNSUPPORTED);
    }

    @Test
    void aFileOfAVocabularyAloneIsNotRunAndSaysWhy() {
        Path file = Fixtures.path("tokenizers/ggml-vocab-llama-spm.gguf");
        assertThat(reason(ModelRunner.open(file, 64, 1)).toString()).contains("vocabulary only", "no tensors");
    }

    @Test
    void aByteLevelTokenizerMustSayHowItCutsWords() throws Exception {
        assertThat(tokens(bytes().put("tokenizer.ggml.pre", "gpt-2"), "ab").orThrow())
                .containsExactly('a', 'b');
        Rejection missing = reason(tokens(bytes(), "ab"));
        assertThat(missing.code()).isEqualTo(Code.GGUF_UNSUPPORTED);
        assertThat(missing.detail()).contains("tokenizer.ggml.pre is missing", "converter");
        assertThat(reason(tokens(bytes().put("tokenizer.ggml.pre", "default"), "ab"))
                        .detail())
                .contains("tokenizer.ggml.pre is default", "converter");
        assertThat(reason(tokens(bytes().put("tokenizer.ggml.pre", "viking"), "ab"))
                        .detail())
                .contains("tokenizer.ggml.pre is viking", "qwen2");
    }

    @Test
    void whatATokenizerIsAskedForAndDoesNotDoIsRefusedByName() throws Exception {
        assertThat(reason(tokens(wordPieces().put("tokenizer.ggml.remove_extra_whitespaces", true), "e"))
                        .detail())
                .contains("remove_extra_whitespaces");
        for (String key : new String[] {"suppress_tokens", "precompiled_charsmap"}) {
            GgufWriter asked = wordPieces().put("tokenizer.ggml." + key, GgufValue.Numbers.ofInts(3));
            assertThat(reason(tokens(asked, "e")).detail()).contains(key);
            GgufWriter none = wordPieces().put("tokenizer.ggml." + key, GgufValue.Numbers.ofInts());
            assertThat(tokens(none, "e").isAccepted()).isTrue();
        }
        assertThat(reason(tokens(
                                bytes().put("tokenizer.ggml.pre", "gpt-2").put("tokenizer.ggml.add_space_prefix", true),
                                "e"))
                        .detail())
                .contains("add_space_prefix");
    }

    @Test
    void aSentencePieceFileThatNamesNoBeginTokenHasTheUsualOne() throws Exception {
        GgufWriter writer = new GgufWriter()
                .put("general.architecture", "llama")
                .put("tokenizer.ggml.model", "llama")
                .put("tokenizer.ggml.tokens", GgufValue.Texts.of(List.of("<unk>", "<s>", "</s>", "\u2581", "a")))
                .put("tokenizer.ggml.scores", GgufValue.Numbers.ofFloats(0, 0, 0, 0, 0))
                .put("tokenizer.ggml.token_type", GgufValue.Numbers.ofInts(2, 3, 3, 1, 1));
        assertThat(tokens(writer, "a").orThrow()).containsExactly(1, 3, 4);
        assertThat(tokens(writer.put("tokenizer.ggml.add_eos_token", true), "a").orThrow())
                .containsExactly(1, 3, 4, 2);
    }

    @ParameterizedTest
    @CsvSource({", , 3", "true, , 3", "false, , 4", "false, true, 3", "true, false, 4"})
    void accentsGoWithTheCapitalsWhereNothingElseIsSaid(Boolean lowerCase, Boolean stripAccents, int expected)
            throws Exception {
        GgufWriter writer = wordPieces();
        if (lowerCase != null) {
            writer.put("tokenizer.ggml.normalizer.lowercase", lowerCase);
        }
        if (stripAccents != null) {
            writer.put("tokenizer.ggml.normalizer.strip_accents", stripAccents);
        }
        assertThat(tokens(writer, "\u00e9").orThrow()).containsExactly(1, expected, 2);
    }
}
