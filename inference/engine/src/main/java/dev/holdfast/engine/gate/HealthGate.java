package dev.holdfast.engine.gate;

import dev.holdfast.control.GateReport;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.Generation;
import dev.holdfast.engine.LoadedModel;
import dev.holdfast.engine.MappedModel;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.ModelSlot;
import dev.holdfast.engine.Turns;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.Kernels;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.engine.text.PromptWriter;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Loads a model and decides whether it may serve. The order is: bytes are the signed ones, before a parser sees them; there is
 * memory for it; the file loads; weights are sound; the tokenizer gives every canary back; the model is warm within its time; it
 * expects what the publisher's model expects; canaries are answered as the publisher says. Belongs to one load.
 */
public final class HealthGate {
    /** Enough for the compiler to see the kernels as hot; the canaries do the rest. */
    private static final long WARM_UP_NANOS = TimeUnit.MILLISECONDS.toNanos(300);

    private static final int WARM_UP_TOKENS = 256;

    /**
     * How a model is loaded.
     *
     * @param contextTokens the longest sequence; the model's own limit counts too
     * @param maxSequences answers made at the same time
     * @param cache how keys and values are kept
     */
    public record Settings(int contextTokens, int maxSequences, CacheType cache) {}

    /** Says whether there is room for a model of these needs, before it is loaded; refuses it otherwise. */
    @FunctionalInterface
    public interface Admission {
        /** Whatever there is room for. */
        Admission ALL = needs -> Verdict.accepted(needs);

        Verdict<MemoryNeeds> admit(MemoryNeeds needs);
    }

    private final Slot slot;
    private final Path file;
    private final Settings settings;
    private final Workers workers;
    private final List<GateReport.Check> checks = new ArrayList<>();
    private long loadMillis;

    /**
     * A gate for one load.
     *
     * @param slot what was signed
     * @param file the bytes that should be the slot's
     */
    public HealthGate(Slot slot, Path file, Settings settings, Workers workers) {
        this.slot = slot;
        this.file = file;
        this.settings = settings;
        this.workers = workers;
    }

    /** The model when it passed, else null; and the report either way. */
    public record Result(@Nullable ModelSlot model, GateReport report) {}

    /** Makes every check and keeps no model: what a publisher wants to know of a file. */
    public GateReport check() {
        Result result = run(true, Admission.ALL);
        if (result.model() != null) {
            result.model().retire(() -> {});
        }
        return result.report();
    }

    /**
     * Loads the model for whoever will serve it.
     *
     * @param canaries whether reference and canaries are asked; they passed already when the model was installed
     * @param admission asked once the bytes are known to be the signed ones
     */
    public Result run(boolean canaries, Admission admission) {
        long started = System.nanoTime();
        LoadedModel loaded = null;
        try {
            ChatTemplate template = ChatTemplate.read(slot.template()).orThrow();
            GateRules rules = GateRules.read(slot.gate()).orThrow();
            loaded = load(admission);
            ModelSlot model = bind(loaded, template, rules);
            warmUp(model);
            loadMillis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
            checkLoadTime(rules);
            if (canaries) {
                checkReference(model, rules);
                checkCanaries(model, rules);
            }
            return new Result(model, new GateReport(Optional.empty(), loadMillis, checks));
        } catch (RejectedException e) {
            return refused(loaded, e.rejection());
        } catch (OutOfMemoryError e) {
            return refused(loaded, new Rejection(Code.INS_MEMORY, "not enough memory: " + FailureText.of(e)));
        } catch (InternalError e) {
            // How the JVM tells that a mapped page cannot be read.
            return refused(loaded, new Rejection(Code.INS_STORAGE, "the mapped model cannot be read: " + e));
        } catch (RuntimeException e) {
            // A fault of ours that hostile weights brought to light must not take the serving models down.
            return refused(loaded, new Rejection(Code.GATE_LOAD, "fault in the engine: " + e));
        }
    }

    private Result refused(@Nullable LoadedModel loaded, Rejection why) {
        if (loaded != null) {
            loaded.close();
        }
        return new Result(null, new GateReport(Optional.of(why), loadMillis, checks));
    }

    private LoadedModel load(Admission admission) throws RejectedException {
        MappedModel mapped = MappedModel.map(file).orThrow();
        try {
            checkDigest(mapped);
            mapped.head()
                    .then(head ->
                            MemoryNeeds.of(head, settings.contextTokens(), settings.maxSequences(), settings.cache()))
                    .then(admission::admit)
                    .orThrow();
        } catch (RejectedException | RuntimeException | VirtualMachineError e) {
            mapped.close();
            throw e;
        }
        LoadedModel model = LoadedModel.of(mapped, workers, settings.contextTokens(), settings.cache())
                .orThrow();
        try {
            Verdict<Integer> scan = WeightScan.scan(model.file(), mapped.bytes());
            note("weights", scan, scan instanceof Verdict.Accepted<Integer>(Integer n) ? n + " tensors" : "");
            return model;
        } catch (RejectedException | RuntimeException | VirtualMachineError e) {
            model.close();
            throw e;
        }
    }

    private void checkDigest(MappedModel mapped) throws RejectedException {
        Verdict<Sha256> verdict;
        if (mapped.bytes().byteSize() != slot.length()) {
            verdict = Verdict.rejected(
                    Code.GATE_DIGEST, mapped.bytes().byteSize() + " bytes, signed are " + slot.length());
        } else {
            Sha256 digest = mapped.digest();
            verdict = digest.equals(slot.digest())
                    ? Verdict.accepted(digest)
                    : Verdict.rejected(Code.GATE_DIGEST, "the mapped bytes hash to " + digest);
        }
        note("digest", verdict, slot.digest().hex());
    }

    private ModelSlot bind(LoadedModel model, ChatTemplate template, GateRules rules) throws RejectedException {
        Tokenizer tokenizer = model.tokenizer().orThrow();
        PromptWriter prompts = PromptWriter.bind(template, tokenizer).orThrow();
        for (GateRules.Canary canary : rules.canaries()) {
            roundTrip(prompts.tokenizer(), canary.prompt());
            roundTrip(prompts.tokenizer(), canary.expect());
        }
        int texts = 2 * rules.canaries().size();
        note("tokenizer", Verdict.accepted(texts), texts + " texts came back unchanged");
        return new ModelSlot(slot, model, prompts, settings.maxSequences());
    }

    private void roundTrip(Tokenizer tokenizer, String text) throws RejectedException {
        if (!tokenizer.decode(tokenizer.encode(text, true)).equals(text)) {
            note("tokenizer", Verdict.rejected(Code.GATE_LOAD, "a canary's text does not survive the tokenizer"), "");
        }
    }

    private static void warmUp(ModelSlot slot) throws RejectedException {
        switch (slot.model().decoder()) {
            case Verdict.Accepted<Transformer>(Transformer decoder) -> warmUp(slot, decoder);
            case Verdict.Rejected<Transformer> encoderInstead ->
                slot.model()
                        .encoder()
                        .orThrow()
                        .embed(new int[Math.min(Kernels.BATCH, slot.model().contextTokens())]);
        }
    }

    private static void warmUp(ModelSlot slot, Transformer transformer) {
        Sequence sequence = slot.sequences().take(Optional.empty(), new int[0]);
        try {
            int[] tokens = new int[Kernels.BATCH];
            int batch = Math.min(Kernels.BATCH, sequence.room() - 1);
            long until = System.nanoTime() + WARM_UP_NANOS;
            for (int done = 0; done < WARM_UP_TOKENS && System.nanoTime() < until; done++) {
                if (sequence.room() <= batch) {
                    sequence.rewind();
                }
                transformer.read(sequence, tokens, 0, done % 8 == 0 && batch > 0 ? batch : 1, null);
            }
        } finally {
            slot.sequences().giveBack(sequence, Optional.empty());
        }
    }

    private void checkLoadTime(GateRules rules) throws RejectedException {
        long most = rules.maxLoad().toMillis();
        Verdict<Long> verdict = loadMillis <= most
                ? Verdict.accepted(loadMillis)
                : Verdict.rejected(Code.GATE_LOAD_TIME, loadMillis + " ms, allowed " + most);
        note("load-time", verdict, loadMillis + " ms of " + most);
    }

    private void checkReference(ModelSlot model, GateRules rules) throws RejectedException {
        if (rules.reference().isEmpty()) {
            return;
        }
        GateReference reference = rules.reference().get();
        Sequence sequence = model.sequences().take(Optional.empty(), new int[0]);
        try {
            Verdict<Double> measured = model.model()
                    .decoder()
                    .then(decoder -> ReferenceEvaluator.divergence(decoder, sequence, reference));
            String detail = String.format(
                    Locale.ROOT,
                    "%.6f nats from the reference over %d distributions, allowed %.6f",
                    measured.orThrow(),
                    reference.distributions(),
                    reference.maxMeanDivergence());
            // NaN is not within the limit either.
            boolean within = measured.orThrow() <= reference.maxMeanDivergence();
            note("reference", within ? measured : Verdict.rejected(Code.GATE_REFERENCE, detail), detail);
        } finally {
            model.sequences().giveBack(sequence, Optional.empty());
        }
    }

    private void checkCanaries(ModelSlot model, GateRules rules) throws RejectedException {
        int total = rules.canaries().size();
        int passed = 0;
        for (GateRules.Canary canary : rules.canaries()) {
            ChatRequest request = ChatRequest.greedy(canary.prompt(), rules.maxAnswerTokens());
            StringBuilder answer = new StringBuilder();
            Verdict<Generation.Outcome> outcome = model.answer(request, Optional.empty(), Turns.FREE, delta -> {
                answer.append(delta);
                return true;
            });
            if (outcome.isAccepted() && answer.toString().equals(canary.expect())) {
                passed++;
            }
        }
        String detail = passed + " of " + total + " canaries answered as expected";
        // Ratios such as 0.9 of 20 must not fail by the last bit.
        Verdict<Integer> verdict = passed + 1e-9 >= rules.minPassRatio() * total
                ? Verdict.accepted(passed)
                : Verdict.rejected(Code.GATE_CANARY, detail);
        note("canary", verdict, detail);
    }

    private void note(String name, Verdict<?> verdict, String detail) throws RejectedException {
        String shown = verdict instanceof Verdict.Rejected<?> rejected
                ? rejected.reason().detail()
                : detail;
        checks.add(new GateReport.Check(name, verdict.isAccepted(), shown));
        verdict.orThrow();
    }
}
