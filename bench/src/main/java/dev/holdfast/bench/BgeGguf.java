package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.gguf.RowSource;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipFile;

/** Turns the published encoder {@code bge-small-en-v1.5} into a GGUF that the engine runs: names, orientation and vocabulary. */
final class BgeGguf {
    private static final int LAYERS = 12;
    private static final int MAX_TOKENIZER_BYTES = 4 << 20;
    /** The products of one layer in the order of the graph; their weights have no names of their own there. */
    private static final List<String> PRODUCTS =
            List.of("attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down");

    private static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("attention.self.query.bias", "attn_q.bias"),
            Map.entry("attention.self.key.bias", "attn_k.bias"),
            Map.entry("attention.self.value.bias", "attn_v.bias"),
            Map.entry("attention.output.dense.bias", "attn_output.bias"),
            Map.entry("attention.output.LayerNorm.weight", "attn_output_norm.weight"),
            Map.entry("attention.output.LayerNorm.bias", "attn_output_norm.bias"),
            Map.entry("intermediate.dense.bias", "ffn_up.bias"),
            Map.entry("output.dense.bias", "ffn_down.bias"),
            Map.entry("output.LayerNorm.weight", "layer_output_norm.weight"),
            Map.entry("output.LayerNorm.bias", "layer_output_norm.bias"));

    private BgeGguf() {}

    /** Writes matrices as {@code type} and vectors and positions as F32. */
    static void write(GgmlType type, Path file) throws IOException {
        GgufWriter writer = new GgufWriter()
                .put("general.architecture", "bert")
                .put("general.name", "bge-small-en-v1.5")
                .put("bert.context_length", 512)
                .put("bert.embedding_length", 384)
                .put("bert.feed_forward_length", 1536)
                .put("bert.block_count", LAYERS)
                .put("bert.attention.head_count", 12)
                .put("bert.attention.layer_norm_epsilon", 1e-12f)
                .put("bert.attention.causal", false)
                .put("bert.pooling_type", 2);
        vocabulary(writer);
        Map<String, OnnxWeights.Tensor> named = new HashMap<>();
        List<OnnxWeights.Tensor> products = new ArrayList<>();
        for (OnnxWeights.Tensor tensor : BgeModel.weights(true)) {
            if (tensor.name().startsWith("onnx::MatMul_")) {
                products.add(tensor);
            } else {
                named.put(tensor.name(), tensor);
            }
        }
        matrix(writer, "token_embd.weight", type, take(named, "embeddings.word_embeddings.weight"));
        matrix(writer, "position_embd.weight", GgmlType.F32, take(named, "embeddings.position_embeddings.weight"));
        matrix(writer, "token_types.weight", GgmlType.F32, take(named, "embeddings.token_type_embeddings.weight"));
        vector(writer, "token_embd_norm.weight", take(named, "embeddings.LayerNorm.weight"));
        vector(writer, "token_embd_norm.bias", take(named, "embeddings.LayerNorm.bias"));
        for (int layer = 0; layer < LAYERS; layer++) {
            String at = "blk." + layer + ".";
            for (Map.Entry<String, String> name : NAMES.entrySet()) {
                vector(writer, at + name.getValue(), take(named, "encoder.layer." + layer + "." + name.getKey()));
            }
            for (int i = 0; i < PRODUCTS.size(); i++) {
                OnnxWeights.Tensor tensor = products.get(layer * PRODUCTS.size() + i);
                matrix(writer, at + PRODUCTS.get(i) + ".weight", type, turned(tensor));
            }
        }
        writer.write(file);
    }

    private static OnnxWeights.Tensor take(Map<String, OnnxWeights.Tensor> named, String name) throws IOException {
        OnnxWeights.Tensor tensor = named.get(name);
        if (tensor == null) {
            throw new IOException("the model has no " + name);
        }
        return tensor;
    }

    /** ONNX multiplies from the right: its rows are our columns. */
    private static OnnxWeights.Tensor turned(OnnxWeights.Tensor tensor) {
        int rows = (int) tensor.dims()[0];
        int columns = (int) tensor.dims()[1];
        float[] values = new float[tensor.values().length];
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                values[c * rows + r] = tensor.values()[r * columns + c];
            }
        }
        return new OnnxWeights.Tensor(tensor.name(), new long[] {columns, rows}, values);
    }

    private static void matrix(GgufWriter writer, String name, GgmlType type, OnnxWeights.Tensor tensor) {
        writer.tensor(name, type, RowSource.of(tensor.values()), tensor.dims()[1], tensor.dims()[0]);
    }

    private static void vector(GgufWriter writer, String name, OnnxWeights.Tensor tensor) {
        writer.tensor(name, GgmlType.F32, RowSource.of(tensor.values()), tensor.values().length);
    }

    /** In GGUF a token that begins a word begins with U+2581, where the original marks those that go on with two hashes. */
    private static void vocabulary(GgufWriter writer) throws IOException {
        JsonNode listed;
        try (ZipFile zip = new ZipFile(BgeModel.jar(true).toFile());
                InputStream in = zip.getInputStream(zip.getEntry("bge-small-en-v1.5-tokenizer.json"))) {
            listed = Json.read(in.readAllBytes(), MAX_TOKENIZER_BYTES)
                    .orThrow()
                    .path("model")
                    .path("vocab");
        } catch (RejectedException e) {
            throw new IOException(e.getMessage(), e);
        }
        String[] tokens = new String[listed.size()];
        int[] kinds = new int[tokens.length];
        for (Map.Entry<String, JsonNode> token : listed.properties()) {
            String text = token.getKey();
            int id = token.getValue().intValue();
            boolean control =
                    text.startsWith("[") && text.endsWith("]") && text.length() > 2 && !text.contains("unused");
            kinds[id] = control ? 3 : 1;
            tokens[id] = control ? text : text.startsWith("##") ? text.substring(2) : "\u2581" + text;
        }
        writer.put("tokenizer.ggml.model", "bert")
                .put("tokenizer.ggml.token_type_count", 2)
                .put("tokenizer.ggml.tokens", GgufValue.Texts.of(List.of(tokens)))
                .put("tokenizer.ggml.token_type", GgufValue.Numbers.ofInts(kinds))
                .put("tokenizer.ggml.unknown_token_id", 100)
                .put("tokenizer.ggml.cls_token_id", 101)
                .put("tokenizer.ggml.seperator_token_id", 102)
                .put("tokenizer.ggml.padding_token_id", 0)
                .put("tokenizer.ggml.mask_token_id", 103);
    }
}
