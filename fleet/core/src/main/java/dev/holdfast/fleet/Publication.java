package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.delta.DeltaInspection;
import dev.holdfast.delta.DeltaProducer;
import dev.holdfast.delta.DeltaSummary;
import dev.holdfast.engine.gate.GateReference;
import dev.holdfast.engine.gate.GateRules;
import dev.holdfast.engine.gate.ReferenceReading;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

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

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,63}");
    private static final String MIN_AGENT = "0.1.0";
    private static final int MAX_ANSWER_TOKENS = 96;
    private static final int MAX_LOAD_MILLIS = 20_000;

    /** A patch that was published too. */
    public record Patch(String from, long bytes, double ratio) {}

    /** What was published. */
    public record Published(String target, Sha256 digest, long bytes, List<Patch> deltas) {
        public ObjectNode toJson() {
            ObjectNode json = Json.object()
                    .put("target", target)
                    .put("digest", digest.hex())
                    .put("bytes", bytes);
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
        return publish(repository, Attachments.NONE);
    }

    /** The same with more about the model. */
    public Published publish(FleetRepository repository, Attachments about) throws IOException, RejectedException {
        repository.directory().config();
        return repository.directory().exclusively(() -> locked(repository, about));
    }

    private Published locked(FleetRepository repository, Attachments about) throws IOException, RejectedException {
        if (!NAME.matcher(model).matches() || !NAME.matcher(version).matches()) {
            throw new RejectedException(
                    Code.CFG_INVALID, "model and version are letters, digits, '.', '_', '+' or '-'");
        }
        if (!Files.isRegularFile(file)) {
            throw new RejectedException(Code.FLT_ABSENT, "no file " + file);
        }
        String path = "models/" + model + "/" + version + "/model.gguf";
        List<TargetFile> targets = new ArrayList<>(repository.targets());
        if (targets.stream().anyMatch(target -> target.path().equals(path))) {
            throw new RejectedException(Code.FLT_EXISTS, path + " is published");
        }
        Optional<TargetFile> newest = repository.newest(model);
        List<TargetFile> bases = new ArrayList<>();
        for (String base : from) {
            bases.add(repository.release(model, base).getFirst());
        }
        if (from.isEmpty()) {
            newest.ifPresent(bases::add);
        }
        ObjectNode custom = custom(newest);
        Sha256 digest = repository.keep(file);
        Path blob = repository.directory().blob(digest);
        long bytes = Files.size(blob);
        blocks(custom, blob);
        about.into(custom, repository, Clock.systemUTC(), digest);
        targets.add(new TargetFile(path, bytes, digest, custom));
        List<Patch> patches = new ArrayList<>();
        for (TargetFile base : bases) {
            if (!base.sha256().equals(digest)) {
                targets.add(patch(repository, base, blob, patches));
            }
        }
        repository.publish(targets);
        return new Published(path, digest, bytes, patches);
    }

    private ObjectNode custom(Optional<TargetFile> newest) throws RejectedException {
        long release =
                newest.map(target -> FleetRepository.number(target, "release")).orElse(0L) + 1;
        long security = epoch.orElse(
                newest.map(target -> FleetRepository.number(target, "epoch")).orElse(1L));
        ObjectNode custom = Json.object()
                .put("kind", "model")
                .put("model", model)
                .put("version", version)
                .put("release", release)
                .put("epoch", security)
                .put("format", "gguf")
                .put("minAgent", MIN_AGENT);
        custom.putObject("blocks");
        custom.set("template", template.deepCopy());
        ObjectNode gate = custom.putObject("gate");
        gate.set("canaries", canaries.deepCopy());
        gate.put("minPassRatio", minPassRatio)
                .put("maxAnswerTokens", MAX_ANSWER_TOKENS)
                .put("maxLoadMillis", MAX_LOAD_MILLIS);
        sign(GateRules.read(gate).orThrow(), gate);
        custom.putObject("needs").put("memoryBytes", 0);
        return custom;
    }

    /** Adds the reference, which the published file must itself meet: else every device would refuse it. */
    private void sign(GateRules rules, ObjectNode gate) throws RejectedException {
        if (rules.canaries().isEmpty()) {
            return;
        }
        GateReference expected = ReferenceReading.of(
                        reference.orElse(file), ChatTemplate.read(template).orThrow(), rules.canaries(), maxDivergence)
                .orThrow();
        double divergence = ReferenceReading.divergence(file, expected).orThrow();
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

    static void blocks(ObjectNode custom, Path blob) throws IOException {
        custom.putObject("blocks")
                .put("bytes", BLOCK_BYTES)
                .put("root", BlockTree.of(blob, BLOCK_BYTES).root().hex());
    }

    private TargetFile patch(FleetRepository repository, TargetFile base, Path blob, List<Patch> patches)
            throws IOException, RejectedException {
        Path made = repository.directory().blobs().resolve("new-patch.tmp");
        try {
            DeltaSummary summary = DeltaProducer.create(repository.directory().blob(base.sha256()), blob, made);
            DeltaInspection inspected = DeltaInspection.of(made).orThrow();
            Sha256 digest = repository.keep(made);
            Path kept = repository.directory().blob(digest);
            ObjectNode custom = Json.object()
                    .put("kind", "delta")
                    .put("model", model)
                    .put("version", version)
                    .put("codec", inspected.codec())
                    .put("base", inspected.base().hex())
                    .put("result", inspected.result().hex())
                    .put("resultLength", inspected.resultBytes());
            blocks(custom, kept);
            patches.add(new Patch(FleetRepository.field(base, "version"), summary.patchBytes(), summary.ratio()));
            String path =
                    "models/" + model + "/" + version + "/from-" + base.sha256().hex() + ".hfd";
            return new TargetFile(path, summary.patchBytes(), digest, custom);
        } finally {
            Files.deleteIfExists(made);
        }
    }
}
