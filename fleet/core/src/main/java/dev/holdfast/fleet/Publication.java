package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.delta.DeltaInspection;
import dev.holdfast.delta.DeltaProducer;
import dev.holdfast.delta.DeltaSummary;
import dev.holdfast.engine.MappedModel;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.gate.GateReference;
import dev.holdfast.engine.gate.GateRules;
import dev.holdfast.engine.gate.ReferenceEvaluator;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.engine.text.PromptWriter;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Progress;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;

/**
 * One release of a model: the file, its patches, and the block that is signed with it.
 *
 * @param template chat template as it will be signed
 * @param canaries array of {@code {"prompt","expect"}}; may be empty
 * @param from versions to make patches from; empty means: from the newest release, if there is one
 * @param epoch security epoch; empty means: that of the newest release, or 1
 * @param reference the model whose expectations over the canaries are signed, such as the one before quantization; empty
 *     means: the published file itself
 * @param maxDivergence mean nats from the reference that devices allow
 */
public record Publication(
        String model,
        String version,
        Path file,
        JsonNode template,
        JsonNode canaries,
        List<String> from,
        Optional<Long> epoch,
        double minPassRatio,
        Optional<Path> reference,
        double maxDivergence) {
    /** Bytes of a transport block. */
    static final int BLOCK_BYTES = 32768;

    private static final String MIN_AGENT = "0.1.0";
    private static final int MAX_ANSWER_TOKENS = 96;
    private static final int MAX_LOAD_MILLIS = 20_000;

    /** A patch that was published too. */
    public record Patch(String from, long bytes, double ratio) {}

    /**
     * What was published.
     *
     * @param bytes length of the file
     * @param memoryBytes what a device of the default configuration needs for it; 0 where that is not known
     * @param unreadable why it is not known: the file is not a model that this engine runs
     */
    public record Published(
            String target,
            Sha256 digest,
            long bytes,
            long memoryBytes,
            Optional<Rejection> unreadable,
            List<Patch> deltas) {
        public ObjectNode toJson() {
            ObjectNode json = Json.object()
                    .put("target", target)
                    .put("digest", digest.hex())
                    .put("bytes", bytes)
                    .put("memoryBytes", memoryBytes);
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

    /** Does all of it, and signs at the end; before that nothing is visible to devices. */
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
        if (!Files.isRegularFile(file)) {
            throw new RejectedException(Code.FLT_ABSENT, "no file " + file);
        }
        requireTemplate();
        String path = "models/" + model + "/" + version + "/model.gguf";
        repository.requireNew(path);
        Optional<ModelTarget> newest = repository.newest(model);
        List<ModelTarget> bases = new ArrayList<>();
        for (String base : from) {
            bases.add(repository.release(model, base).model());
        }
        if (from.isEmpty()) {
            newest.ifPresent(bases::add);
        }
        ObjectNode gate = gate();
        Sha256 digest = repository.keep(file, steps.apply("copy"));
        Path blob = repository.directory().blob(digest);
        Verdict<MemoryNeeds> needs = MemoryNeeds.of(
                blob, MemoryNeeds.DEFAULT_CONTEXT_TOKENS, MemoryNeeds.DEFAULT_SEQUENCES, CacheType.DEFAULT);
        TargetFile kept = new TargetFile(path, Files.size(blob), digest, Json.object());
        ModelTarget published = new ModelTarget(
                kept,
                tree(repository, digest),
                model,
                version,
                newest.map(ModelTarget::release).orElse(0L) + 1,
                epoch.orElse(newest.map(ModelTarget::epoch).orElse(1L)),
                template,
                gate,
                MIN_AGENT,
                needs instanceof Verdict.Accepted<MemoryNeeds>(MemoryNeeds known) ? known.totalBytes() : 0,
                attached.keep(repository, Clock.systemUTC(), path, model, version, digest));
        // What devices would refuse is refused here.
        List<TargetFile> fresh = new ArrayList<>(
                List.of(ModelTarget.of(published.listed()).orThrow().file()));
        List<Patch> patches = new ArrayList<>();
        for (ModelTarget base : bases) {
            if (!base.file().sha256().equals(digest)) {
                fresh.add(patch(repository, base, blob, patches, steps.apply("patch " + base.version())));
            }
        }
        repository.add(fresh);
        Optional<Rejection> unreadable =
                needs instanceof Verdict.Rejected<MemoryNeeds>(Rejection why) ? Optional.of(why) : Optional.empty();
        return new Published(path, digest, kept.length(), published.memoryBytes(), unreadable, patches);
    }

    /** Refuses a template that devices could not bind to the file's vocabulary; a file that is not read has none. */
    private void requireTemplate() throws RejectedException {
        try (MappedModel mapped = MappedModel.map(file).orThrow()) {
            Verdict<Tokenizer> words = mapped.head().then(head -> Verdict.of(() -> Tokenizer.of(head)));
            if (words instanceof Verdict.Accepted<Tokenizer>(Tokenizer tokenizer)) {
                ChatTemplate read = ChatTemplate.read(template).orThrow();
                PromptWriter.bind(read, tokenizer).orThrow();
            }
        }
    }

    private ObjectNode gate() throws RejectedException {
        ObjectNode gate = Json.object();
        gate.set("canaries", canaries.deepCopy());
        gate.put("minPassRatio", minPassRatio)
                .put("maxAnswerTokens", MAX_ANSWER_TOKENS)
                .put("maxLoadMillis", MAX_LOAD_MILLIS);
        sign(GateRules.read(gate).orThrow(), gate);
        return gate;
    }

    /** Adds the reference, which the published file must itself meet: else every device would refuse it. */
    private void sign(GateRules rules, ObjectNode gate) throws RejectedException {
        if (rules.canaries().isEmpty()) {
            return;
        }
        GateReference expected = ReferenceEvaluator.of(
                        reference.orElse(file), ChatTemplate.read(template).orThrow(), rules.canaries(), maxDivergence)
                .orThrow();
        double divergence = ReferenceEvaluator.divergence(file, expected).orThrow();
        if (!(divergence <= maxDivergence)) {
            throw new RejectedException(
                    Code.GATE_REFERENCE,
                    String.format(
                            Locale.ROOT,
                            "%s is %.6f nats from its reference, allowed %.6f (--max-divergence)",
                            file,
                            divergence,
                            maxDivergence));
        }
        gate.set("reference", expected.toJson());
        GateRules.read(gate).orThrow();
    }

    private static BlockTree tree(FleetRepository repository, Sha256 digest) throws IOException {
        List<Sha256> leaves = new BlockServer(repository.directory()).published(digest);
        return new BlockTree(BLOCK_BYTES, MerkleTree.root(leaves));
    }

    private TargetFile patch(
            FleetRepository repository, ModelTarget base, Path blob, List<Patch> patches, Progress progress)
            throws IOException, RejectedException {
        Path made = repository.directory().blobs().resolve("new-patch.tmp");
        Sha256 old = base.file().sha256();
        try {
            DeltaSummary summary = DeltaProducer.create(repository.directory().blob(old), blob, made, progress);
            DeltaInspection inspected = DeltaInspection.of(made).orThrow();
            Sha256 digest = repository.keep(made);
            String path = "models/" + model + "/" + version + "/from-" + old.hex() + ".hfd";
            patches.add(new Patch(base.version(), summary.patchBytes(), summary.ratio()));
            DeltaTarget published = new DeltaTarget(
                    new TargetFile(path, summary.patchBytes(), digest, Json.object()),
                    tree(repository, digest),
                    model,
                    version,
                    inspected.codec(),
                    inspected.base(),
                    inspected.result(),
                    inspected.resultBytes());
            return DeltaTarget.of(published.listed()).orThrow().file();
        } finally {
            Files.deleteIfExists(made);
        }
    }
}
