package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.GateReport;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.gate.GateReference;
import dev.holdfast.engine.gate.GateRules;
import dev.holdfast.engine.gate.ReferenceEvaluator;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Progress;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * One release of a model: the file, its patches, and the block that is signed with it.
 *
 * @param file the model
 * @param digest what the file's bytes must hash to; empty where nobody says
 * @param template chat template as it will be signed
 * @param canaries array of {@code {"prompt","expect"}}; may be empty
 * @param from versions to make patches from; empty means: from the newest release, if there is one
 * @param epoch security epoch; empty means: that of the newest release, or 1
 * @param reference the model whose expectations over the canaries are signed, such as the one before quantization; empty
 *     means: the published file itself
 * @param maxDivergence mean nats from the reference that devices allow
 * @param maxLoad how long a device may take until the model is warm
 * @param memoryLimit bytes that the devices have for it; empty where it is not to be judged
 */
public record Publication(
        String model,
        String version,
        Path file,
        Optional<Sha256> digest,
        JsonNode template,
        JsonNode canaries,
        List<String> from,
        Optional<Long> epoch,
        double minPassRatio,
        Optional<Path> reference,
        double maxDivergence,
        Duration maxLoad,
        Optional<Long> memoryLimit) {
    /** Bytes of a transport block. */
    static final int BLOCK_BYTES = 32768;

    private static final int MAX_ANSWER_TOKENS = 96;
    /** How long a device may take to load where nothing else is said. */
    public static final Duration MAX_LOAD = Duration.ofSeconds(20);

    /** A patch that was published too. */
    public record Patch(String from, long bytes, double ratio) {}

    /**
     * What was published.
     *
     * @param bytes length of the file
     * @param memoryBytes what a device of the default configuration needs for it
     * @param checks what the health gate found
     */
    public record Published(
            String target,
            Sha256 digest,
            long bytes,
            long memoryBytes,
            List<GateReport.Check> checks,
            List<Patch> deltas) {
        public Published {
            checks = List.copyOf(checks);
            deltas = List.copyOf(deltas);
        }

        public ObjectNode toJson() {
            ObjectNode json = Json.object()
                    .put("target", target)
                    .put("digest", digest.hex())
                    .put("bytes", bytes)
                    .put("memoryBytes", memoryBytes);
            ArrayNode passed = json.putArray("checks");
            checks.forEach(check -> passed.addObject().put("name", check.name()).put("detail", check.detail()));
            ArrayNode list = json.putArray("deltas");
            deltas.forEach(patch -> list.addObject()
                    .put("from", patch.from)
                    .put("bytes", patch.bytes)
                    .put("ratio", patch.ratio));
            return json;
        }
    }

    public Publication {
        from = List.copyOf(from);
    }

    /**
     * Does all of it, and signs at the end; before that nothing is visible to devices.
     *
     * @throws RejectedException as a device would refuse it, {@link ReleaseCheck}; then nothing was kept
     */
    public Published publish(FleetRepository repository) throws IOException, RejectedException {
        return publish(repository, AttachmentFiles.NONE);
    }

    /** The same with more about the model. */
    public Published publish(FleetRepository repository, AttachmentFiles attached)
            throws IOException, RejectedException {
        return publish(repository, attached, step -> Progress.SILENT);
    }

    /** @param steps is told which step begins, such as {@code patch 1.0.0}, and gives whoever is to be told how far it is */
    public Published publish(FleetRepository repository, AttachmentFiles attached, Function<String, Progress> steps)
            throws IOException, RejectedException {
        repository.directory().config();
        return repository.directory().publishing(() -> inTurn(repository, attached, steps));
    }

    private Published inTurn(FleetRepository repository, AttachmentFiles attached, Function<String, Progress> steps)
            throws IOException, RejectedException {
        requireNames();
        if (!Files.isRegularFile(file)) {
            throw new RejectedException(Code.FLT_ABSENT, "there is no file " + file);
        }
        ReleaseDraft draft = ReleaseDraft.of(repository, model, version, from, epoch);
        // What the head alone says, before gigabytes are copied.
        ReleaseCheck check = new ReleaseCheck(file);
        MemoryNeeds needs = check.head(template);
        requireRoom(needs);
        try (StagedFile staged = StagedFile.copy(repository.directory(), file, steps.apply("copy"))) {
            requireDigest(staged.digest());
            steps.apply("check");
            ObjectNode gate = gate(staged.path());
            GateReport report =
                    check.gate(staged.path(), draft.slot(staged.digest(), Files.size(staged.path()), template, gate));
            return draft.sign(
                    staged,
                    new ReleaseDraft.Terms(template, gate, needs.totalBytes(), report.checks()),
                    attached,
                    steps);
        }
    }

    private void requireNames() throws RejectedException {
        if (model.equals(ModelName.UNKNOWN)) {
            throw new RejectedException(
                    Code.CFG_INVALID,
                    "no model is called \"" + model + "\": evidence says so of bytes that nobody signed");
        }
        for (String name : List.of(model, version)) {
            if (!ModelName.isName(name)) {
                throw new RejectedException(
                        Code.CFG_INVALID,
                        "\"" + name + "\": a model and a version have 1 to 64 letters, digits, '.', '_', '+' or '-',"
                                + " and begin with a letter or digit");
            }
        }
    }

    private void requireRoom(MemoryNeeds needs) throws RejectedException {
        if (memoryLimit.isPresent() && needs.totalBytes() > memoryLimit.get()) {
            throw new RejectedException(
                    Code.INS_MEMORY,
                    file + " needs " + needs.totalBytes() + " bytes of memory, the devices have " + memoryLimit.get()
                            + "; nothing was signed");
        }
    }

    private void requireDigest(Sha256 found) throws RejectedException {
        if (digest.isPresent() && !digest.get().equals(found)) {
            throw new RejectedException(
                    Code.IMG_DIGEST, file + " has other bytes than its digest says; nothing was signed");
        }
    }

    private ObjectNode gate(Path copy) throws RejectedException {
        ObjectNode gate = Json.object();
        gate.set("canaries", canaries.deepCopy());
        gate.put("minPassRatio", minPassRatio)
                .put("maxAnswerTokens", MAX_ANSWER_TOKENS)
                .put("maxLoadMillis", maxLoad.toMillis());
        GateRules rules = GateRules.read(gate).orThrow();
        if (!rules.canaries().isEmpty()) {
            gate.set("reference", reference(copy, rules).toJson());
            GateRules.read(gate).orThrow();
        }
        return gate;
    }

    /** What the published model must itself meet, which the gate asks next. */
    private GateReference reference(Path copy, GateRules rules) throws RejectedException {
        return ReferenceEvaluator.of(
                        reference.orElse(copy), ChatTemplate.read(template).orThrow(), rules.canaries(), maxDivergence)
                .orThrow();
    }
}
