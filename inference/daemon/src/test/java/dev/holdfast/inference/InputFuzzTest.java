package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.MappedModel;
import dev.holdfast.engine.StrangeModels;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.gate.GateReference;
import dev.holdfast.engine.gate.GateRules;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.engine.text.PreTokenizerVectors;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;

/** Requests of local programs, descriptions of models, model files and texts: whatever comes, the answer is a value. */
class InputFuzzTest {
    private static final int MAX_BYTES = 1 << 20;

    @TempDir
    static Path folder = Path.of("");

    private static @Nullable List<Tokenizer> tokenizers;

    @FuzzTest(maxDuration = "1m")
    void request(byte[] body) {
        assertThat(ChatCall.read(body)).isNotNull();
        assertThat(ChatCall.readPlain(body)).isNotNull();
        assertThat(EmbeddingCall.read(body)).isNotNull();
        assertThat(ResponsesCall.read(body)).isNotNull();
    }

    @FuzzTest(maxDuration = "1m")
    void description(byte[] body) {
        if (Json.readObject(body, MAX_BYTES) instanceof Verdict.Accepted<?> read) {
            JsonNode node = (JsonNode) read.value();
            assertThat(Slot.read(node)).isNotNull();
            assertThat(ChatTemplate.read(node)).isNotNull();
            assertThat(GateRules.read(node)).isNotNull();
            assertThat(GateReference.read(node)).isNotNull();
        }
    }

    @FuzzTest(maxDuration = "1m")
    void model(byte[] bytes) throws Exception {
        int[] at = {0};
        // The bytes are the choices; behind the last one all are the first.
        StrangeModels.tryOne(limit -> at[0] < bytes.length ? Byte.toUnsignedInt(bytes[at[0]++]) % limit : 0, folder);
    }

    @FuzzTest(maxDuration = "1m")
    void text(byte[] bytes) throws Exception {
        // Pieces write a space as U+2581.
        String text = new String(bytes, StandardCharsets.UTF_8).replace((char) 0x2581, (char) 0x5f);
        for (Tokenizer tokenizer : tokenizers()) {
            int[] ids = tokenizer.encode(text, true);
            for (int id : ids) {
                assertThat(id).isBetween(0, tokenizer.vocabulary().size() - 1);
                assertThat(tokenizer.vocabulary().isControl(id)).isFalse();
            }
            assertThat(tokenizer.decode(ids)).isEqualTo(text);
        }
    }

    /** One of each pre-tokenizer, and one of pieces with scores; all have a token for each byte. */
    private static List<Tokenizer> tokenizers() throws Exception {
        List<Tokenizer> known = tokenizers;
        if (known == null) {
            known = new ArrayList<>();
            List<String> texts = PreTokenizerVectors.read().texts();
            for (String name : PreTokenizerVectors.NAMES) {
                Path file = folder.resolve(name);
                PreTokenizerVectors.writeVocabulary(texts, name, file);
                known.add(tokenizer(file));
            }
            Path file = folder.resolve("pieces");
            TinyModel.write(file, 1, TinyModel.Flaw.NONE);
            known.add(tokenizer(file));
            tokenizers = known;
        }
        return known;
    }

    private static Tokenizer tokenizer(Path file) throws Exception {
        try (MappedModel mapped = MappedModel.map(file).orThrow()) {
            return Tokenizer.of(mapped.head().orThrow());
        }
    }
}
