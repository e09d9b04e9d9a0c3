package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.MappedModel;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.engine.text.PromptWriter;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.nio.file.Path;

/**
 * What a device asks of a model before it serves, asked before anything is signed: with the device's own reader, engine and gate, so
 * that a refusal has the code that the device would give. The file is mapped, never read into memory as a whole.
 *
 * @param file the model, as refusals name it
 */
record ReleaseCheck(Path file) {
    /** Answers are made one after the other here. */
    private static final int SEQUENCES = 1;

    /**
     * Reads the head alone, in little time whatever the file's length.
     *
     * @return what a device of the default configuration needs
     * @throws RejectedException {@code GGUF-*} where the engine does not run the file, {@code WIRE-FIELD} or {@code GGUF-UNSUPPORTED}
     *     where the template does not read or does not bind to the file's vocabulary
     */
    MemoryNeeds head(JsonNode template) throws RejectedException {
        try (MappedModel mapped = MappedModel.map(file).orThrow()) {
            var head = mapped.head().orThrow();
            MemoryNeeds needs = MemoryNeeds.of(
                            head, MemoryNeeds.DEFAULT_CONTEXT_TOKENS, MemoryNeeds.DEFAULT_SEQUENCES, CacheType.DEFAULT)
                    .orThrow();
            PromptWriter.bind(ChatTemplate.read(template).orThrow(), Tokenizer.of(head))
                    .orThrow();
            return needs;
        } catch (RejectedException e) {
            throw named(e.rejection());
        }
    }

    /**
     * The whole health gate, on the copy that will be published.
     *
     * @param copy the bytes that {@code slot} names
     * @return what was found of each check
     * @throws RejectedException {@code GATE-*}, or another code that the gate refuses by
     */
    GateReport gate(Path copy, Slot slot) throws RejectedException {
        HealthGate.Settings settings =
                new HealthGate.Settings(MemoryNeeds.DEFAULT_CONTEXT_TOKENS, SEQUENCES, CacheType.DEFAULT);
        GateReport report;
        try (Workers workers = Workers.of(Runtime.getRuntime().availableProcessors())) {
            report = new HealthGate(slot, copy, settings, workers).check();
        }
        if (report.failure().isPresent()) {
            throw named(report.failure().get());
        }
        return report;
    }

    private RejectedException named(Rejection why) {
        return new RejectedException(new Rejection(
                why.code(),
                file + ": " + why.detail() + "; devices would refuse it, and nothing was signed",
                why.offset(),
                why.field()));
    }
}
