package dev.holdfast.bench;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.engine.architectures.Embedding;
import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A published encoder, converted by our writer, against the original as ONNX Runtime runs it. */
class EmbeddingsTest {
    private static final List<String> TEXTS = List.of(
            "dim the lounge lights",
            "Lower the brightness in the living room, please!",
            "The quick brown fox jumps over 13 lazy dogs.",
            "caf\u00e9 na\u00efve \u4e2d\u6587 \ud83d\ude80 $5",
            "",
            "a text of several batches of tokens ".repeat(30));

    @TempDir
    static Path folder;

    private static List<float[]> expected;

    @BeforeAll
    static void runTheOriginal() throws Exception {
        BgeGguf.write(GgmlType.F32, folder.resolve("f32.gguf"));
        expected = new ArrayList<>();
        try (OrtEnvironment environment = OrtEnvironment.getEnvironment();
                OrtSession session = environment.createSession(original());
                ModelRunner runner = open("f32.gguf")) {
            for (String text : TEXTS) {
                expected.add(
                        firstVector(environment, session, runner.tokenize(text).orThrow()));
            }
        }
    }

    private static ModelRunner open(String name) throws Exception {
        return ModelRunner.open(folder.resolve(name), 512, 1).orThrow();
    }

    private static byte[] original() throws IOException {
        try (ZipFile zip = new ZipFile(BgeModel.jar(true).toFile());
                InputStream in = zip.getInputStream(zip.getEntry("bge-small-en-v1.5.onnx"))) {
            return in.readAllBytes();
        }
    }

    /** The last layer's vector of the first token, which is what the model's card says to take. */
    private static float[] firstVector(OrtEnvironment environment, OrtSession session, int[] tokens)
            throws OrtException {
        long[] ids = Arrays.stream(tokens).asLongStream().toArray();
        long[] ones = new long[ids.length];
        Arrays.fill(ones, 1);
        try (OnnxTensor input = OnnxTensor.createTensor(environment, new long[][] {ids});
                OnnxTensor mask = OnnxTensor.createTensor(environment, new long[][] {ones});
                OnnxTensor types = OnnxTensor.createTensor(environment, new long[][] {new long[ids.length]});
                OrtSession.Result result =
                        session.run(Map.of("input_ids", input, "attention_mask", mask, "token_type_ids", types))) {
            return ((float[][][]) result.get(0).getValue())[0][0];
        }
    }

    private static double cosine(float[] a, float[] b) {
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int i = 0; i < a.length; i++) {
            ab += (double) a[i] * b[i];
            aa += (double) a[i] * a[i];
            bb += (double) b[i] * b[i];
        }
        return ab / Math.sqrt(aa * bb);
    }

    private static double worstCosine(String name) throws Exception {
        double worst = 1;
        try (ModelRunner runner = open(name)) {
            for (int i = 0; i < TEXTS.size(); i++) {
                Embedding ours = runner.embed(TEXTS.get(i)).orThrow();
                worst = Math.min(worst, cosine(ours.vector(), expected.get(i)));
            }
        }
        System.out.println(name + ": worst cosine " + worst + " to ONNX Runtime");
        return worst;
    }

    @Test
    void floatsGiveTheOriginalsVectors() throws Exception {
        assertThat(worstCosine("f32.gguf")).isGreaterThan(0.9999);
    }

    @Test
    void eightBitsComeClose() throws Exception {
        BgeGguf.write(GgmlType.Q8_0, folder.resolve("q8.gguf"));
        assertThat(worstCosine("q8.gguf")).isGreaterThan(0.99);
    }

    /** Guards the comparison itself: vectors of different texts are not alike. */
    @Test
    void otherTextsHaveOtherVectors() {
        assertThat(cosine(expected.get(0), expected.get(2))).isLessThan(0.9);
        assertThat(cosine(expected.get(0), expected.get(1))).isGreaterThan(cosine(expected.get(0), expected.get(2)));
    }
}
