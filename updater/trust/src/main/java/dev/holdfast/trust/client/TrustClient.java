package dev.holdfast.trust.client;

import dev.holdfast.storage.Disk;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.DirectorOrder;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.release.Order;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TufKey;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;

/**
 * The device's metadata client: TUF 1.0.34 section 5 against the Image repository, then the Director's order.
 *
 * <p>Every role names keys of two families and a threshold that forces both; the ECDSA member is checked inside the TEE.
 * What was seen is kept in a record that the TEE signs, so expired files on the disk neither block nor matter.
 * Thread-safe: one call at a time.
 */
public final class TrustClient {
    /** The record is written and signed again for a new time at most this often. */
    private static final long TIME_STEP_SECONDS = 3600;

    public static final int MAX_ORDER_BYTES = 512 * 1024;

    private final RootChain chain;
    private final TrustAnchors anchors;
    private final MetadataSource source;
    private final Clock clock;
    private final TufClient client;
    private final SecureRandom random = new SecureRandom();

    private TrustClient(RootChain chain, TrustAnchors anchors, MetadataSource source, Clock clock, TufClient client) {
        this.chain = chain;
        this.anchors = anchors;
        this.source = source;
        this.clock = clock;
        this.client = client;
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
        return start(stateDir, factoryRoot, anchors, source, clock, Disk.LOCAL);
    }

    static Verdict<TrustClient> start(
            Path stateDir, Path factoryRoot, TrustAnchors anchors, MetadataSource source, Clock clock, Disk disk)
            throws IOException {
        disk.createDirectories(stateDir);
        try {
            RootChain chain = RootChain.load(stateDir, factoryRoot, anchors, disk);
            Path metadata = stateDir.resolve(RootChain.METADATA);
            disk.createDirectories(metadata);
            TufClient client = new TufClient(metadata, disk, chain, chain, anchors.verifier());
            return Verdict.accepted(new TrustClient(chain, anchors, source, clock, client));
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
    }

    /**
     * Accepts the state in {@code stateDir}, or its absence, after {@code TEE-ROLLBACK}: the disk was put back on purpose.
     *
     * @throws IOException where the device's own disk fails
     */
    public static Verdict<Boolean> readmit(Path stateDir, Path factoryRoot, TrustAnchors anchors) throws IOException {
        return readmit(stateDir, factoryRoot, anchors, Disk.LOCAL);
    }

    static Verdict<Boolean> readmit(Path stateDir, Path factoryRoot, TrustAnchors anchors, Disk disk)
            throws IOException {
        disk.createDirectories(stateDir);
        try {
            byte[] factory = Files.readAllBytes(factoryRoot);
            RootChain.requireAnchored(factory, anchors);
            DeviceRecord.look(stateDir, factory, anchors, disk).orThrow().sign();
            return Verdict.accepted(true);
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
    }

    /** Brings metadata up to date: TUF 1.0.34 section 5.3 to 5.6. */
    public synchronized Verdict<TrustedTargets> refresh() {
        return transport(() -> refresh(now(), source));
    }

    /** Refreshes, then asks the Director and checks its order against the Image repository. */
    public synchronized Verdict<Order> order(String deviceId) {
        return order(deviceId, source);
    }

    /** The same through another transport, for this once. */
    public synchronized Verdict<Order> order(String deviceId, MetadataSource from) {
        return transport(() -> {
            Instant now = now();
            return order(deviceId, refresh(now, from), now, from);
        });
    }

    /** A model that the Image repository lists today; empty where it does not, or the entry does not read. */
    public synchronized Verdict<Optional<ModelTarget>> listed(String path) {
        return transport(() -> {
            refresh(now(), source);
            return client.find(path)
                    .filter(TargetFile::isNamed)
                    .flatMap(file -> ModelTarget.of(file) instanceof Verdict.Accepted<ModelTarget>(ModelTarget model)
                            ? Optional.of(model)
                            : Optional.empty());
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

    /** Number of the last order that was accepted under this name; 0 where there was none. Waits for nobody. */
    public long orderSeen(String deviceId) {
        return chain.state().orders().of(deviceId);
    }

    /** The Director's Ed25519 keys of the trusted root. Waits for nobody. */
    public List<PublicKey> directorKeys() {
        RootDocument.Role director = chain.root().roles().get(RootDocument.DIRECTOR);
        return director == null
                ? List.of()
                : director.keys().values().stream()
                        .filter(key -> key.kind() == KeyKind.ED25519)
                        .map(TufKey::key)
                        .toList();
    }

    /** Who issues certificates to devices, as the trusted root names them: SHA-256 of each SubjectPublicKeyInfo; empty where it names nobody. */
    public synchronized Set<Sha256> deviceAuthorities() {
        try {
            return chain.root().deviceAuthorities();
        } catch (RejectedException e) {
            throw new IllegalStateException(e); // A root in which they do not read is not trusted.
        }
    }

    /** Version of the trusted root. */
    public synchronized long rootVersion() {
        return chain.state().root().version();
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
            return new Verdict.Rejected<>(SourceException.reasonOf(e));
        }
    }

    /** 5.1: one start time for the whole cycle; never before what was authentically said to have passed. */
    public synchronized Instant now() {
        Instant floor = Instant.ofEpochSecond(chain.state().trustedTime());
        Instant clockTime = clock.instant();
        return clockTime.isBefore(floor) ? floor : clockTime;
    }

    private TrustedTargets refresh(Instant now, MetadataSource from) throws RejectedException, IOException {
        client.refresh(now, from);
        if (chain.root().version() < chain.state().root().version()) {
            throw new RejectedException(Code.UPD_ROLLBACK, "the root is older than the one seen before");
        }
        return client.targets();
    }

    private Order order(String deviceId, TrustedTargets image, Instant now, MetadataSource from)
            throws RejectedException, IOException {
        byte[] nonce = new byte[DirectorOrder.NONCE_BYTES];
        random.nextBytes(nonce);
        byte[] bytes = from.directorOrder(nonce)
                .orElseThrow(() -> new RejectedException(Code.UPD_NO_ORDER, "the Director has no order"));
        Envelope order = signed(bytes, RootDocument.DIRECTOR, MAX_ORDER_BYTES);
        DirectorOrder said = DirectorOrder.read(order);
        if (!said.device().equals(deviceId)) {
            throw new RejectedException(Code.UPD_DIRECTOR_DEVICE, "the order is not for " + deviceId);
        }
        requireAnswer(said, nonce, from);
        TrustState state = chain.state();
        // Under the name that the configuration gives, which the order was just found to have: see OrdersSeen.
        TufClient.requireNotOlder("director", order.version(), state.orders().of(deviceId));
        order.requireFresh(now);
        Order checked = agree(said, image);
        // Whoever stole the Director's key may not set the time to a day on which everything has expired: no further
        // than to the end of the Image repository's own timestamp.
        long issued = Math.min(said.issuedSeconds(), said.expires().getEpochSecond());
        issued = Math.min(issued, client.timestampExpires().getEpochSecond() - 1);
        if (state.orders().changesWith(deviceId, order.version()) || issued > state.trustedTime() + TIME_STEP_SECONDS) {
            long time = issued;
            chain.update(known -> known.ordered(deviceId, order.version(), time));
        }
        return checked;
    }

    /** What was signed for a network is worth nothing in a bundle, and the other way round. */
    private static void requireAnswer(DirectorOrder said, byte[] nonce, MetadataSource from) throws RejectedException {
        if (from.answersNonces() && !said.nonce().equals(Optional.of(Binary.copyOf(nonce)))) {
            throw new RejectedException(Code.UPD_DIRECTOR_NONCE, "another nonce");
        }
        if (!from.answersNonces() && said.nonce().isPresent()) {
            throw new RejectedException(Code.UPD_DIRECTOR_NONCE, "the order was not signed for offline use");
        }
    }

    /** Uptane's full verification: nothing that the Image repository does not list in the same words. */
    private Order agree(DirectorOrder said, TrustedTargets image) throws RejectedException, IOException {
        for (TargetFile target : said.files()) {
            TargetFile listed = client.find(target.path())
                    .orElseThrow(() -> new RejectedException(Code.UPD_TARGET_UNKNOWN, target.path()));
            if (!listed.equals(target)) {
                throw new RejectedException(Code.UPD_DIRECTOR_DISAGREES, target.path());
            }
            if (!target.isNamed()) {
                throw new RejectedException(Code.UPD_FORMAT, target.path() + " has no sha256");
            }
            if (chain.withdrawn().contains(target.path())) {
                throw new RejectedException(Code.UPD_WITHDRAWN, target.path() + " was withdrawn");
            }
        }
        Optional<String> byDefault = Optional.empty();
        List<ModelOrder> models = new ArrayList<>();
        for (Map.Entry<String, ModelTerms> entry : said.models().entrySet()) {
            ModelTerms terms = entry.getValue();
            ModelTarget model =
                    ModelTarget.of(said.file(terms.target()).orElseThrow()).orThrow();
            long since = terms.since() > 0 ? terms.since() : said.version();
            models.add(new ModelOrder(
                    said.device(), since, model, deltasTo(model, image, said.files()), terms, graced(said, terms)));
            byDefault = terms.byDefault() ? Optional.of(entry.getKey()) : byDefault;
        }
        return new Order(said.device(), said.version(), said.expires(), byDefault, models, said.leaseSeconds());
    }

    private static List<ModelOrder.Grace> graced(DirectorOrder said, ModelTerms terms) throws RejectedException {
        List<ModelOrder.Grace> graced = new ArrayList<>();
        for (ModelTerms.Grace each : terms.grace()) {
            ModelTarget older =
                    ModelTarget.of(said.file(each.target()).orElseThrow()).orThrow();
            graced.add(new ModelOrder.Grace(older, each.untilSeconds()));
        }
        return graced;
    }

    /** Of the top-level role all patches count, of a delegated role those that the order names. */
    private static List<DeltaTarget> deltasTo(ModelTarget model, TrustedTargets image, List<TargetFile> ordered) {
        List<DeltaTarget> deltas = new ArrayList<>();
        Set<TargetFile> listed = new LinkedHashSet<>(image.files().values());
        listed.addAll(ordered);
        for (TargetFile target : listed) {
            // A delta that does not read is no delta: the full model remains.
            if (target.isNamed()
                    && DeltaTarget.is(target)
                    && DeltaTarget.of(target) instanceof Verdict.Accepted<DeltaTarget>(DeltaTarget delta)
                    && delta.result().equals(model.file().sha256())
                    && delta.resultLength() == model.file().length()) {
                deltas.add(delta);
            }
        }
        return deltas;
    }

    /** Paths of targets that were withdrawn, and that nothing may bring back. Waits for nobody. */
    public Set<String> withdrawn() {
        return chain.withdrawn();
    }

    /** Lowest security epoch that this device accepts of each model, by its name. Waits for nobody. */
    public SortedMap<String, Long> epochFloors() {
        return chain.state().floors();
    }

    /**
     * Raises the floor of a model's security epoch; durable and bound to the TEE's counter at return. Waits for no refresh.
     *
     * @return the floor that holds now; {@code TEE-*} where the TEE does not sign or count, {@code UPD-EPOCH} beyond {@value
     *     TrustState#MAX_FLOORS} models
     */
    public Verdict<Long> raiseEpochFloor(String model, long epoch) throws IOException {
        try {
            chain.update(known -> {
                TrustState raised = epoch > known.floor(model) ? known.floor(model, epoch) : known;
                if (raised.floors().size() > TrustState.MAX_FLOORS) {
                    throw new RejectedException(
                            Code.UPD_EPOCH, "floors are kept of " + TrustState.MAX_FLOORS + " models");
                }
                return raised;
            });
            return Verdict.accepted(chain.state().floor(model));
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
    }

    private Envelope signed(byte[] bytes, String role, int maxBytes) throws RejectedException {
        Envelope envelope = Envelope.parse(bytes, role, maxBytes);
        envelope.requireThreshold(chain.root().role(role), chain.families(), anchors.verifier());
        return envelope;
    }
}
