package dev.holdfast.engine.architectures;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.LoadedModel;
import dev.holdfast.engine.RandomModel;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every tensor of a file is computed with, or the file is refused by the name of the tensor. None is ignored. */
class ExtraTensorsTest {
    private static final ModelShape SHAPE = new ModelShape(128, 2, 96, 4, 2, 32, 160, 300);
    private static final ModelShape ENCODER = new ModelShape(128, 2, 96, 4, 4, 24, 160, 300);
    private static final int[] TOKENS = new Random(3).ints(20, 0, 300).toArray();

    @TempDir
    Path folder;

    private Path plain(String architecture) throws Exception {
        Path file = folder.resolve("plain.gguf");
        model(architecture).writeDecoder(file);
        return file;
    }

    private static RandomModel model(String architecture) {
        return new RandomModel(architecture, SHAPE, GgmlType.F32, 7);
    }

    private Path written(RandomModel model) throws Exception {
        Path file = folder.resolve("m.gguf");
        model.writeDecoder(file);
        return file;
    }

    private static RandomModel withBiases(RandomModel model, boolean all) {
        for (int layer = 0; layer < SHAPE.layers(); layer++) {
            String at = "blk." + layer + ".";
            if (all) {
                model.extra(at + "attn_q.bias", 0, 1, SHAPE.queryWidth());
                model.extra(at + "attn_k.bias", 0, 1, SHAPE.keyWidth());
                model.extra(at + "attn_v.bias", 0, 1, SHAPE.keyWidth());
            }
            model.extra(at + "attn_output.bias", 0, 1, SHAPE.width());
            model.extra(at + "ffn_gate.bias", 0, 1, SHAPE.feedForward());
            model.extra(at + "ffn_up.bias", 0, 1, SHAPE.feedForward());
            model.extra(at + "ffn_down.bias", 0, 1, SHAPE.width());
        }
        return model;
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen2", "qwen3", "gemma3"})
    void allBiasesAreAdded(String architecture) throws Exception {
        // Those of query, key and value belong to qwen2 anyway.
        RandomModel model = withBiases(model(architecture), !architecture.equals("qwen2"));
        Path file = written(model.extra("output.bias", 0, 1, SHAPE.vocabulary()));
        Logits.expect(new PlainNetworks(file).decoder(TOKENS), file, TOKENS);
    }

    @ParameterizedTest
    @CsvSource({
        "attn_q, 128",
        "attn_k, 64",
        "attn_v, 64",
        "attn_output, 96",
        "ffn_gate, 160",
        "ffn_up, 160",
        "ffn_down, 96"
    })
    void eachBiasAndEachScaleChangesWhatIsComputed(String name, int rows) throws Exception {
        double[][] without = new PlainNetworks(plain("llama")).decoder(TOKENS);
        RandomModel[] models = {
            model("llama").extra("blk.1." + name + ".bias", 0, 1, rows),
            model("llama").extra("blk.1." + name + ".scale", 1.5, 0, 1)
        };
        for (RandomModel model : models) {
            Path file = written(model);
            double[][] with = new PlainNetworks(file).decoder(TOKENS);
            assertThat(Logits.distance(with, without)).isGreaterThan(0.01);
            Logits.expect(with, file, TOKENS);
        }
    }

    @Test
    void anOutputOfItsOwnHasItsOwnBiasAndScale() throws Exception {
        for (String kind : new String[] {"bias", "scale"}) {
            int length = kind.equals("bias") ? SHAPE.vocabulary() : 1;
            Path file = written(model("qwen2")
                    .extra("output.weight", 0, 1, SHAPE.width(), SHAPE.vocabulary())
                    .extra("output." + kind, 1.5, 0.1, length));
            Logits.expect(new PlainNetworks(file).decoder(TOKENS), file, TOKENS);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen3", "gemma3"})
    void queryKeyAndValueMayBeOneMatrix(String architecture) throws Exception {
        double[][] expected = new PlainNetworks(plain(architecture)).decoder(TOKENS);
        Logits.expect(expected, written(model(architecture).fused()), TOKENS);
        int rows = SHAPE.queryWidth() + 2 * SHAPE.keyWidth();
        Path biased = written(model(architecture).fused().extra("blk.1.attn_qkv.bias", 0, 1, rows));
        Logits.expect(new PlainNetworks(biased).decoder(TOKENS), biased, TOKENS);
        // The same query a second time is one too many.
        Path twice = written(model(architecture).fused().extra("blk.1.attn_q.weight", 0, 1, 96, SHAPE.queryWidth()));
        assertThat(Logits.refusal(twice).toString()).contains("GGUF-UNSUPPORTED", "blk.1.attn_q.weight");
    }

    @Test
    void aScaleBesideABiasIsRefused() throws Exception {
        Path file = written(model("llama").extra("blk.0.ffn_up.scale", 2, 0, 1).extra("blk.0.ffn_up.bias", 0, 1, 160));
        assertThat(Logits.refusal(file).detail()).contains("blk.0.ffn_up.scale", "blk.0.ffn_up.bias");
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen2", "qwen3"})
    void divisorsOfFrequenciesAreUsed(String architecture) throws Exception {
        Path file = written(model(architecture).extra("rope_freqs.weight", 3, 0.5, SHAPE.headSize() / 2));
        double[][] with = new PlainNetworks(file).decoder(TOKENS);
        assertThat(Logits.distance(with, new PlainNetworks(plain(architecture)).decoder(TOKENS)))
                .isGreaterThan(0.01);
        Logits.expect(with, file, TOKENS);
    }

    @Test
    void divisorsThatAreNoneAreRefused() throws Exception {
        Path file = written(model("llama").extra("rope_freqs.weight", 0, 0, SHAPE.headSize() / 2));
        assertThat(Logits.refusal(file).toString()).contains("GGUF-TENSOR", "rope_freqs.weight");
    }

    /** Names that files of these or of other architectures have, and one that nobody knows. */
    @ParameterizedTest
    @CsvSource({
        "llama, blk.0.attn_q_norm.weight, 32",
        "llama, blk.1.attn_k_norm.weight, 32",
        "llama, blk.0.attn_norm.bias, 96",
        "llama, blk.0.post_attention_norm.weight, 96",
        "llama, blk.0.attn_sinks.weight, 4",
        "llama, blk.2.attn_norm.weight, 96",
        "llama, blk.0.ffn_gate_inp.weight, 96",
        "llama, rope_factors_long.weight, 16",
        "llama, output_norm.bias, 96",
        "llama, output.scale, 1",
        "llama, token_embd.scale, 1",
        "llama, token_embd_norm.weight, 96",
        "llama, blk.0.attn_q.input_scale, 1",
        "llama, unheard.of, 3",
        "qwen2, blk.0.attn_q_norm.weight, 32",
        "qwen2, blk.0.attn_sub_norm.weight, 96",
        "qwen3, cls.output.weight, 96",
        "qwen3, blk.0.post_ffw_norm.weight, 96",
        "gemma3, rope_freqs.weight, 16",
        "gemma3, dense_2.weight, 96",
        "gemma3, blk.0.attn_qkv.bias, 256"
    })
    void aTensorThatNobodyComputesWithIsRefusedByName(String architecture, String name, int length) throws Exception {
        double mean = name.startsWith("token_embd.") ? 2 : 1;
        Rejection refusal = Logits.refusal(written(model(architecture).extra(name, mean, 0.1, length)));
        assertThat(refusal.code()).isEqualTo(Code.GGUF_UNSUPPORTED);
        assertThat(refusal.detail()).contains(name);
    }

    @ParameterizedTest
    @CsvSource({
        "cls.weight, 96",
        "cls.bias, 96",
        "cls.output.weight, 96",
        "blk.0.attn_q_norm.weight, 96",
        "blk.0.ffn_gate.weight, 96",
        "blk.0.attn_norm_2.weight, 96",
        "blk.2.attn_q.bias, 96",
        "unheard.of, 3"
    })
    void soItIsInAnEncoder(String name, int length) throws Exception {
        Path file = folder.resolve("m.gguf");
        new RandomModel("bert", ENCODER, GgmlType.F32, 8)
                .put("pooling_type", 1)
                .extra(name, 1, 0.1, length)
                .writeEncoder(file);
        Rejection refusal = Logits.refusal(file);
        assertThat(refusal.code()).isEqualTo(Code.GGUF_UNSUPPORTED);
        assertThat(refusal.detail()).contains(name);
    }

    @Test
    void aScaleBesideABiasIsRefusedInAnEncoder() throws Exception {
        Path file = folder.resolve("m.gguf");
        new RandomModel("bert", ENCODER, GgmlType.F32, 8)
                .put("pooling_type", 2)
                .extra("blk.0.ffn_up.scale", 2, 0, 1)
                .writeEncoder(file);
        assertThat(Logits.refusal(file).detail()).contains("blk.0.ffn_up.scale");
    }

    @Test
    void aBiasThatQwen2MustHaveIsMissed() throws Exception {
        Path file = folder.resolve("m.gguf");
        String bytes = Files.readString(plain("qwen2"), StandardCharsets.ISO_8859_1);
        Files.writeString(file, bytes.replace("blk.1.attn_k.bias", "blk.1.attn_k.bais"), StandardCharsets.ISO_8859_1);
        Rejection refusal = Logits.refusal(file);
        assertThat(refusal.code()).isEqualTo(Code.GGUF_TENSOR);
        assertThat(refusal.detail()).contains("blk.1.attn_k.bias");
    }

    @Test
    void aFileWithNothingMoreLoads() throws Exception {
        for (String architecture : new String[] {"llama", "qwen2", "qwen3", "gemma3"}) {
            try (Workers workers = Workers.of(1);
                    LoadedModel model = LoadedModel.load(plain(architecture), workers, 128, CacheType.F32)
                            .orThrow()) {
                assertThat(model.decoder().isAccepted()).isTrue();
            }
        }
    }
}
