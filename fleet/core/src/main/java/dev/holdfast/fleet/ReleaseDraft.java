package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.Slot;
import dev.holdfast.delta.DeltaInspection;
import dev.holdfast.delta.DeltaProducer;
import dev.holdfast.delta.DeltaSummary;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Progress;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * A release on its way into the Image repository: its path and numbers, then its files, its patches and the signature. Whether the
 * model is one that devices run was judged before. Belongs to one thread.
 *
 * @param release number of the release, one more than the newest of the model
 * @param bases releases that patches are made from
 */
record ReleaseDraft(
        FleetRepository repository, String model, String version, long release, long epoch, List<ModelTarget> bases) {
    private static final String MIN_AGENT = "0.1.0";

    /**
     * What is signed of a file beside its bytes.
     *
     * @param memoryBytes what a device of the default configuration needs
     * @param checks what was found of the file, for whoever publishes
     */
    record Terms(JsonNode template, JsonNode gate, long memoryBytes, List<GateReport.Check> checks) {}

    ReleaseDraft {
        bases = List.copyOf(bases);
    }

    /** {@code FLT-EXISTS} where the version is published, {@code UPD-TARGET-UNKNOWN} where one of {@code from} is not. */
    static ReleaseDraft of(
            FleetRepository repository, String model, String version, List<String> from, Optional<Long> epoch)
            throws IOException, RejectedException {
        repository.requireNew(path(model, version));
        Optional<ModelTarget> newest = repository.newest(model);
        List<ModelTarget> bases = new ArrayList<>();
        for (String base : from) {
            bases.add(repository.release(model, base).model());
        }
        if (from.isEmpty()) {
            newest.ifPresent(bases::add);
        }
        return new ReleaseDraft(
                repository,
                model,
                version,
                newest.map(ModelTarget::release).orElse(0L) + 1,
                epoch.orElse(newest.map(ModelTarget::epoch).orElse(1L)),
                bases);
    }

    private static String path(String model, String version) {
        return "models/" + model + "/" + version + "/model.gguf";
    }

    /** The release as a device would name it. */
    Slot slot(Sha256 digest, long length, JsonNode template, JsonNode gate) {
        return new Slot(path(model, version), model, version, release, epoch, digest, length, 0, template, gate);
    }

    /** Keeps the file, makes the patches, and signs: the last step, before which devices see nothing. */
    Publication.Published sign(
            StagedFile staged, Terms terms, AttachmentFiles attached, Function<String, Progress> steps)
            throws IOException, RejectedException {
        Path blob = staged.keep();
        String path = path(model, version);
        TargetFile kept = new TargetFile(path, Files.size(blob), staged.digest(), Json.object());
        ModelTarget published = new ModelTarget(
                kept,
                tree(staged.digest()),
                model,
                version,
                release,
                epoch,
                terms.template,
                terms.gate,
                MIN_AGENT,
                terms.memoryBytes,
                attached.keep(repository, Clock.systemUTC(), path, model, version, staged.digest()));
        // What devices would refuse is refused here.
        List<TargetFile> fresh = new ArrayList<>(
                List.of(ModelTarget.of(published.listed()).orThrow().file()));
        List<Publication.Patch> patches = new ArrayList<>();
        for (ModelTarget base : bases) {
            if (!base.file().sha256().equals(staged.digest())) {
                fresh.add(patch(base, blob, patches, steps.apply("patch " + base.version())));
            }
        }
        repository.add(fresh);
        return new Publication.Published(
                path, staged.digest(), kept.length(), terms.memoryBytes, terms.checks, patches);
    }

    private BlockTree tree(Sha256 digest) throws IOException {
        List<Sha256> leaves = new BlockServer(repository.directory()).published(digest);
        return new BlockTree(Publication.BLOCK_BYTES, MerkleTree.root(leaves));
    }

    private TargetFile patch(ModelTarget base, Path blob, List<Publication.Patch> patches, Progress progress)
            throws IOException, RejectedException {
        Path made = repository.directory().blobs().resolve("new-patch.tmp");
        Sha256 old = base.file().sha256();
        try {
            DeltaSummary summary = DeltaProducer.create(repository.directory().blob(old), blob, made, progress);
            DeltaInspection inspected = DeltaInspection.of(made).orThrow();
            Sha256 digest = repository.keep(made);
            String path = "models/" + model + "/" + version + "/from-" + old.hex() + ".hfd";
            patches.add(new Publication.Patch(base.version(), summary.patchBytes(), summary.ratio()));
            DeltaTarget published = new DeltaTarget(
                    new TargetFile(path, summary.patchBytes(), digest, Json.object()),
                    tree(digest),
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
