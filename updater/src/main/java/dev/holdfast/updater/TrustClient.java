package dev.holdfast.updater;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The device's metadata client: TUF 1.0.34 section 5 against the Image repository, then the Director's order.
 *
 * <p>Every role names keys of two families and a threshold that forces both; the ECDSA member is checked inside the TEE.
 * What was seen is kept in a record that the TEE signs, so expired files on the disk neither block nor matter.
 * Delegated targets are not followed: what they list is unknown here. Thread-safe: one call at a time.
 */
public final class TrustClient {
    /** Length of the nonce in a Director's order. */
    public static final int NONCE_BYTES = 32;

    /** W, X, Y and Z of TUF 1.0.34 section 5: how many roots in one go and how long each file may be. */
    static final int MAX_ROOT_STEPS = 64;

    static final int MAX_TIMESTAMP_BYTES = 64 * 1024;
    static final int MAX_SNAPSHOT_BYTES = 256 * 1024;
    static final int MAX_TARGETS_BYTES = 4 * 1024 * 1024;
    static final int MAX_ORDER_BYTES = 512 * 1024;

    private final RootChain chain;
    private final TrustAnchors anchors;
    private final MetadataSource source;
    private final Clock clock;
    private final Path stateDir;
    private final SecureRandom random = new SecureRandom();

    private TrustClient(RootChain chain, TrustAnchors anchors, MetadataSource source, Clock clock, Path stateDir) {
        this.chain = chain;
        this.anchors = anchors;
        this.source = source;
        this.clock = clock;
        this.stateDir = stateDir;
    }

    /**
     * Checks the factory root against the TEE ({@code UPD-ANCHOR}), then the stored chain and state record.
     *
     * @param stateDir directory of this client alone; created where absent
     * @param factoryRoot the root metadata file that the package or provisioning installed
     * @throws IOException where the device's own disk fails
     */
    public static Verdict<TrustClient> start(
            Path stateDir, Path factoryRoot, TrustAnchors anchors, MetadataSource source, Clock clock)
            throws IOException {
        Files.createDirectories(stateDir);
        try {
            RootChain chain = RootChain.load(stateDir, factoryRoot, anchors);
            return Verdict.accepted(new TrustClient(chain, anchors, source, clock, stateDir));
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
    }

    /** Brings metadata up to date: TUF 1.0.34 section 5.3 to 5.6. */
    public synchronized Verdict<TrustedTargets> refresh() {
        return transport(() -> refresh(now()));
    }

    /** Refreshes, then asks the Director and checks its order against the Image repository. */
    public synchronized Verdict<Order> order(String deviceId) {
        return transport(() -> {
            Instant now = now();
            return order(deviceId, refresh(now), now);
        });
    }

    /** Key id of the targets role's ECDSA key, which the TEE verifies: the authority of a measured model. */
    public synchronized String anchorKeyId() {
        RootDocument.Role targets = chain.root().roles().get("targets");
        if (targets == null) {
            return "";
        }
        return targets.keyIds().stream()
                .filter(id -> {
                    TufKey key = targets.keys().get(id);
                    return key != null && key.kind() == KeyKind.ECDSA_P256;
                })
                .findFirst()
                .orElse("");
    }

    /** Version of the trusted root. */
    public synchronized long rootVersion() {
        return chain.state().rootVersion();
    }

    @FunctionalInterface
    private interface Step<T> {
        T run() throws RejectedException, IOException;
    }

    private static <T> Verdict<T> transport(Step<T> step) {
        try {
            return Verdict.accepted(step.run());
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        } catch (IOException e) {
            return Verdict.rejected(Code.LNK_TIMEOUT, String.valueOf(e.getMessage()));
        }
    }

    /** 5.1: one start time for the whole cycle; never before what was authentically said to have passed. */
    private Instant now() {
        Instant floor = Instant.ofEpochSecond(chain.state().trustedTime());
        Instant clockTime = clock.instant();
        return clockTime.isBefore(floor) ? floor : clockTime;
    }

    private TrustedTargets refresh(Instant now) throws RejectedException, IOException {
        updateRoot(now);
        Envelope timestamp = updateTimestamp(now);
        Envelope snapshot = updateSnapshot(Meta.of(timestamp, "snapshot.json"), now);
        return updateTargets(Meta.of(snapshot, "targets.json"), now);
    }

    private void updateRoot(Instant now) throws RejectedException, IOException {
        // 5.3.2-5.3.9: one version at a time, each signed by the one before and by itself.
        for (int step = 0; step < MAX_ROOT_STEPS; step++) {
            long next = chain.root().version() + 1;
            var file = source.fetch(next + ".root.json", RootDocument.MAX_BYTES);
            if (file.isEmpty()) {
                break;
            }
            chain.append(file.get());
        }
        if (chain.root().version() < chain.state().rootVersion()) {
            throw new RejectedException(Code.UPD_ROLLBACK, "the root is older than the one seen before");
        }
        // 5.3.10: only the last one must be fresh.
        chain.root().envelope().requireFresh(now);
    }

    private Envelope updateTimestamp(Instant now) throws RejectedException, IOException {
        byte[] bytes = required("timestamp.json", MAX_TIMESTAMP_BYTES); // 5.4.1
        Envelope timestamp = signed(bytes, "timestamp", MAX_TIMESTAMP_BYTES); // 5.4.2
        TrustState state = chain.state();
        Meta snapshot = Meta.of(timestamp, "snapshot.json");
        requireNotOlder("timestamp", timestamp.version(), state.timestampVersion()); // 5.4.3.1
        requireNotOlder("snapshot", snapshot.version(), state.snapshotVersion()); // 5.4.3.2
        timestamp.requireFresh(now); // 5.4.4
        if (timestamp.version() > state.timestampVersion() || snapshot.version() > state.snapshotVersion()) {
            DurableFiles.replace(stateDir.resolve("timestamp.json"), bytes); // 5.4.5
            chain.save(state.image(timestamp.version(), snapshot.version(), state.targetsVersion()));
        }
        return timestamp;
    }

    private Envelope updateSnapshot(Meta meta, Instant now) throws RejectedException, IOException {
        byte[] bytes = current(meta, "snapshot", MAX_SNAPSHOT_BYTES); // 5.5.1, 5.5.2
        Envelope snapshot = signed(bytes, "snapshot", MAX_SNAPSHOT_BYTES); // 5.5.3
        meta.requireVersion(snapshot); // 5.5.4
        TrustState state = chain.state();
        long targets = Meta.of(snapshot, "targets.json").version();
        requireNotOlder("targets", targets, state.targetsVersion()); // 5.5.5
        snapshot.requireFresh(now); // 5.5.6
        DurableFiles.replace(stateDir.resolve("snapshot.json"), bytes); // 5.5.7
        if (targets > state.targetsVersion()) {
            chain.save(state.image(state.timestampVersion(), state.snapshotVersion(), targets));
        }
        return snapshot;
    }

    private TrustedTargets updateTargets(Meta meta, Instant now) throws RejectedException, IOException {
        byte[] bytes = current(meta, "targets", MAX_TARGETS_BYTES); // 5.6.1, 5.6.2
        Envelope targets = signed(bytes, "targets", MAX_TARGETS_BYTES); // 5.6.3
        meta.requireVersion(targets); // 5.6.4
        targets.requireFresh(now); // 5.6.5
        DurableFiles.replace(stateDir.resolve("targets.json"), bytes); // 5.6.6
        return new TrustedTargets(targets.version(), TargetList.parse(targets.signed()));
    }

    private Order order(String deviceId, TrustedTargets image, Instant now) throws RejectedException, IOException {
        byte[] nonce = new byte[NONCE_BYTES];
        random.nextBytes(nonce);
        byte[] bytes = source.directorOrder(nonce)
                .orElseThrow(() -> new RejectedException(Code.LNK_REFUSED, "the Director has no order"));
        Envelope order = signed(bytes, RootDocument.DIRECTOR, MAX_ORDER_BYTES);
        Fields signed = order.signed();
        if (!signed.text("device", Fields.MAX_NAME_CHARS).equals(deviceId)) {
            throw new RejectedException(Code.UPD_DIRECTOR_DEVICE, "the order is not for " + deviceId);
        }
        if (!signed.text("nonce", 2 * NONCE_BYTES).equals(Binary.copyOf(nonce).hex())) {
            throw new RejectedException(Code.UPD_DIRECTOR_NONCE, "another nonce");
        }
        TrustState state = chain.state();
        requireNotOlder("director", order.version(), state.directorVersion());
        order.requireFresh(now);
        Order checked = agree(order, deviceId, image);
        long issued = signed.has("issued") ? signed.integer("issued", 0) : 0;
        if (order.version() > state.directorVersion() || issued > state.trustedTime()) {
            chain.save(state.director(
                    order.version(), Math.min(issued, signed.expires().getEpochSecond())));
        }
        requireEpoch(checked.model());
        return checked;
    }

    /** Uptane's full verification: nothing that the Image repository does not list in the same words. */
    private static Order agree(Envelope order, String deviceId, TrustedTargets image) throws RejectedException {
        List<ModelTarget> models = new ArrayList<>();
        Map<String, TargetFile> ordered = TargetList.parse(order.signed());
        for (TargetFile target : ordered.values()) {
            TargetFile listed = image.find(target.path())
                    .orElseThrow(() -> new RejectedException(Code.UPD_TARGET_UNKNOWN, target.path()));
            if (!listed.equals(target)) {
                throw new RejectedException(Code.UPD_DIRECTOR_DISAGREES, target.path());
            }
            if (CustomBlock.isKind(target, "model")) {
                models.add(ModelTarget.of(target).orThrow());
            }
        }
        if (models.size() != 1) {
            throw new RejectedException(Code.UPD_FORMAT, "an order names one model, not " + models.size());
        }
        ModelTarget model = models.getFirst();
        List<DeltaTarget> deltas = new ArrayList<>();
        for (TargetFile target : image.files().values()) {
            // A delta that does not read is no delta: the full model remains.
            if (CustomBlock.isKind(target, "delta")
                    && DeltaTarget.of(target) instanceof Verdict.Accepted<DeltaTarget>(DeltaTarget delta)
                    && delta.result().equals(model.file().sha256())
                    && delta.resultLength() == model.file().length()) {
                deltas.add(delta);
            }
        }
        return new Order(deviceId, order.version(), order.signed().expires(), model, deltas);
    }

    private void requireEpoch(ModelTarget model) throws RejectedException {
        try {
            long floor = anchors.epochFloor().read();
            if (model.slot().epoch() < floor) {
                throw new RejectedException(
                        Code.UPD_EPOCH, "epoch " + model.slot().epoch() + " is below the floor " + floor);
            }
        } catch (TeeException e) {
            throw new RejectedException(e.code(), "epoch floor: " + e.getMessage());
        }
    }

    private Envelope signed(byte[] bytes, String role, int maxBytes) throws RejectedException {
        Envelope envelope = Envelope.parse(bytes, role, maxBytes);
        envelope.requireThreshold(chain.root().role(role), anchors.verifier());
        return envelope;
    }

    private byte[] required(String name, int maxBytes) throws RejectedException, IOException {
        return source.fetch(name, maxBytes)
                .orElseThrow(() -> new RejectedException(Code.LNK_REFUSED, name + " is not offered"));
    }

    /** The stored file where it is the one that is asked for, else the fetched one; either way untrusted so far. */
    private byte[] current(Meta meta, String role, int maxBytes) throws RejectedException, IOException {
        Path stored = stateDir.resolve(role + ".json");
        if (meta.hash().isPresent() && Files.exists(stored) && Files.size(stored) <= maxBytes) {
            byte[] bytes = Files.readAllBytes(stored);
            if (Sha256.of(bytes).equals(meta.hash().get())) {
                return bytes;
            }
        }
        byte[] bytes = required(meta.version() + "." + role + ".json", meta.maxBytes(maxBytes));
        meta.requireBytes(bytes, role, maxBytes);
        return bytes;
    }

    private static void requireNotOlder(String role, long version, long seen) throws RejectedException {
        if (version < seen) {
            throw new RejectedException(Code.UPD_ROLLBACK, role + " " + version + " after " + seen);
        }
    }

    /** Reads {@code targets} of a targets role or of an order. */
    static final class TargetList {
        private static final int MAX_TARGETS = 20_000;

        private TargetList() {}

        static Map<String, TargetFile> parse(Fields signed) throws RejectedException {
            JsonNode node = signed.object("targets").node();
            if (node.size() > MAX_TARGETS) {
                throw new RejectedException(Code.UPD_FORMAT, "more than " + MAX_TARGETS + " targets");
            }
            Map<String, TargetFile> files = new java.util.LinkedHashMap<>();
            for (Map.Entry<String, JsonNode> entry : node.properties()) {
                Fields target = Fields.of(entry.getValue());
                JsonNode custom =
                        target.has("custom") ? target.object("custom").node() : dev.holdfast.wire.Json.object();
                files.put(
                        entry.getKey(),
                        new TargetFile(
                                entry.getKey(),
                                target.integer("length", 0),
                                target.object("hashes").sha256("sha256"),
                                custom));
            }
            return files;
        }
    }
}
