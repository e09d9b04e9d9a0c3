package dev.holdfast.trust.client;

import dev.holdfast.storage.Disk;
import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.Expiry;
import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.trust.schema.RoleName;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The client's workflow of TUF 1.0.34 section 5. What was trusted last is kept byte for byte in a directory; each file there is
 * verified again under the keys of today before it counts for anything. Belongs to one thread at a time.
 */
public final class TufClient {
    /** W, X, Y and Z of section 5: how many roots in one go and how long each file may be. */
    static final int MAX_ROOT_STEPS = 256;

    public static final int MAX_TIMESTAMP_BYTES = 64 * 1024;
    static final int MAX_SNAPSHOT_BYTES = 2 * 1024 * 1024;
    public static final int MAX_TARGETS_BYTES = 4 * 1024 * 1024;
    /** Delegated roles that one search may visit. */
    static final int MAX_VISITED = 32;

    private final Path directory;
    private final Disk disk;
    private final TrustedRoot trusted;
    private final SeenVersions seen;
    private final AnchorVerifier verifier;
    private final Map<String, Loaded> roles = new HashMap<>();
    private @Nullable Envelope snapshot;
    private Instant timestampExpires = Instant.EPOCH;
    private Instant now = Instant.EPOCH;
    private @Nullable MetadataSource source;

    TufClient(Path directory, Disk disk, TrustedRoot trusted, SeenVersions seen, AnchorVerifier verifier) {
        this.directory = directory;
        this.disk = disk;
        this.trusted = trusted;
        this.seen = seen;
        this.verifier = verifier;
    }

    /** Sections 5.3 to 5.6, as of {@code time}; {@link #find} goes on with the same source. */
    void refresh(Instant time, MetadataSource from) throws RejectedException, IOException {
        now = time; // 5.1: one start time for the whole cycle.
        source = from;
        roles.clear();
        snapshot = null;
        updateRoot();
        Envelope timestamp = updateTimestamp();
        snapshot = updateSnapshot(Meta.of(timestamp, "snapshot.json"));
        updateRevocations(snapshot);
        TargetsRole targets = updateTargets("targets", trusted.root().role("targets"));
        seen.raise(0, 0, targets.version());
    }

    /** What the top-level targets role lists, after a refresh. */
    TrustedTargets targets() {
        Loaded targets = roles.get("targets");
        if (targets == null) {
            throw new IllegalStateException("not refreshed");
        }
        return new TrustedTargets(targets.role.version(), targets.role.files());
    }

    /** When the timestamp of the last refresh expires. */
    Instant timestampExpires() {
        return timestampExpires;
    }

    /** Whether target files carry their hash in their name. */
    boolean consistentSnapshot() {
        return trusted.root().consistentSnapshot();
    }

    private record Visit(String role, RootDocument.Role keys) {}

    /** A role, and the keys under which it was verified. */
    private record Loaded(TargetsRole role, RootDocument.Role keys) {}

    /** Section 5.6.7: the first role, in pre-order of the delegations that cover the path, which lists it. */
    Optional<TargetFile> find(String path) throws RejectedException, IOException {
        Deque<Visit> open = new ArrayDeque<>();
        Set<String> visited = new HashSet<>();
        open.push(new Visit("targets", trusted.root().role("targets")));
        while (!open.isEmpty() && visited.size() <= MAX_VISITED) {
            Visit visit = open.pop();
            if (!visited.add(visit.role)) {
                continue; // A cycle, or a role that two others name: the one of higher priority counted.
            }
            TargetsRole role = updateTargets(visit.role, visit.keys);
            TargetFile file = role.files().get(path);
            if (file != null) {
                return Optional.of(file);
            }
            Deque<Visit> next = new ArrayDeque<>();
            for (TargetsRole.Delegation delegation : role.delegations()) {
                if (delegation.covers(path)) {
                    next.push(new Visit(delegation.name(), delegation.role()));
                    if (delegation.terminating()) {
                        open.clear();
                        break;
                    }
                }
            }
            next.forEach(open::push);
        }
        return Optional.empty();
    }

    private void updateRoot() throws RejectedException, IOException {
        // 5.3.2 to 5.3.9: one version at a time.
        for (int step = 0; step < MAX_ROOT_STEPS; step++) {
            RootDocument previous = trusted.root();
            Optional<byte[]> file = source().fetch((previous.version() + 1) + ".root.json", RootDocument.MAX_BYTES);
            if (file.isEmpty()) {
                break;
            }
            RootDocument next = trusted.verify(file.get());
            // 5.3.11: recovery from fast-forward attacks. Before the root is taken (5.3.8), since after a crash nobody
            // would know
            // that it is still to be done, and files of before that verify under the new keys too would bind all later
            // ones.
            if (next.rotates("timestamp", previous) || next.rotates("snapshot", previous)) {
                disk.deleteIfExists(file("timestamp"));
                disk.delete(file("snapshot"));
            }
            trusted.append(next);
        }
        // 5.3.10: only the last one must be fresh.
        trusted.root().envelope().requireFresh(now);
    }

    private Envelope updateTimestamp() throws RejectedException, IOException {
        RootDocument.Role keys = trusted.root().role("timestamp");
        Optional<Envelope> stored = stored("timestamp", "timestamp", keys, MAX_TIMESTAMP_BYTES);
        byte[] bytes = required("timestamp.json", MAX_TIMESTAMP_BYTES); // 5.4.1
        Envelope timestamp = signed(bytes, "timestamp", keys, MAX_TIMESTAMP_BYTES); // 5.4.2
        Meta meta = Meta.of(timestamp, "snapshot.json");
        requireNotOlder("timestamp", timestamp.version(), seen.timestamp()); // 5.4.3.1
        requireNotOlder("snapshot", meta.version(), seen.snapshot()); // 5.4.3.2
        if (stored.isPresent()) {
            requireNotOlder("timestamp", timestamp.version(), stored.get().version());
            requireNotOlder(
                    "snapshot",
                    meta.version(),
                    Meta.of(stored.get(), "snapshot.json").version());
            if (timestamp.version() == stored.get().version()) {
                timestamp = stored.get(); // 5.4.3.1: the same version is no news.
            }
        }
        timestamp.requireFresh(now); // 5.4.4
        timestampExpires = Expiry.read(timestamp.signed());
        keep("timestamp", timestamp); // 5.4.5
        seen.raise(timestamp.version(), meta.version(), 0);
        return timestamp;
    }

    private Envelope updateSnapshot(Meta meta) throws RejectedException, IOException {
        RootDocument.Role keys = trusted.root().role("snapshot");
        Optional<Envelope> stored = stored("snapshot", "snapshot", keys, MAX_SNAPSHOT_BYTES);
        Envelope snapshot = stored.isPresent() && meta.names(stored.get())
                ? stored.get()
                : signed(fetch(meta, "snapshot", MAX_SNAPSHOT_BYTES), "snapshot", keys, MAX_SNAPSHOT_BYTES);
        meta.requireVersion(snapshot); // 5.5.4
        requireNotOlder("targets", Meta.of(snapshot, "targets.json").version(), seen.targets()); // 5.5.5
        if (stored.isPresent()) {
            requireNoneOlder(snapshot, stored.get());
        }
        snapshot.requireFresh(now); // 5.5.6
        keep("snapshot", snapshot); // 5.5.7
        return snapshot;
    }

    /**
     * A role of Holdfast, see {@link Revocations}: verified as a targets role is, but for its end. A root that does not name it says that
     * nobody may withdraw.
     */
    private void updateRevocations(Envelope listed) throws RejectedException, IOException {
        RootDocument.Role keys = trusted.root().roles().get(RootDocument.REVOCATIONS);
        if (keys == null) {
            return;
        }
        String entry = RootDocument.REVOCATIONS + ".json";
        if (!listed.signed().object("meta").has(entry)) {
            // Of before the root that names the role.
            requireNotOlder(RootDocument.REVOCATIONS, 0, seen.revocations());
            return;
        }
        Meta meta = Meta.of(listed, entry);
        requireNotOlder(RootDocument.REVOCATIONS, meta.version(), seen.revocations());
        Optional<Envelope> stored =
                stored(RootDocument.REVOCATIONS, RootDocument.REVOCATIONS, keys, Revocations.MAX_BYTES);
        Envelope file = stored.isPresent() && meta.names(stored.get())
                ? stored.get()
                : signed(
                        fetch(meta, RootDocument.REVOCATIONS, Revocations.MAX_BYTES),
                        RootDocument.REVOCATIONS,
                        keys,
                        Revocations.MAX_BYTES);
        meta.requireVersion(file);
        Revocations list = Revocations.parse(file);
        for (String known : seen.withdrawn()) {
            if (!list.withdrawn().containsKey(known)) {
                throw new RejectedException(
                        Code.UPD_ROLLBACK,
                        "revocations " + list.version() + " lack " + known + ", which was withdrawn");
            }
        }
        seen.withdraw(list);
        keep(RootDocument.REVOCATIONS, file);
    }

    /** 5.5.5: no file that was listed is missing now or of an older version. */
    private static void requireNoneOlder(Envelope snapshot, Envelope before) throws RejectedException {
        List<String> names = new ArrayList<>();
        before.signed().object("meta").node().fieldNames().forEachRemaining(names::add);
        for (String name : names) {
            if (!snapshot.signed().object("meta").has(name)) {
                throw new RejectedException(Code.UPD_ROLLBACK, "the snapshot does not list " + name + " any more");
            }
            requireNotOlder(
                    name,
                    Meta.of(snapshot, name).version(),
                    Meta.of(before, name).version());
        }
    }

    /** A targets role: its file of today, verified under the keys of whoever names it. */
    private TargetsRole updateTargets(String name, RootDocument.Role keys) throws RejectedException, IOException {
        Envelope listed = snapshot;
        if (listed == null) {
            throw new IllegalStateException("not refreshed");
        }
        Loaded known = roles.get(name);
        // Two roles may delegate to a third one with keys of their own: what one of them vouches for is nothing to the
        // other.
        if (known != null && known.keys.equals(keys)) {
            return known.role;
        }
        String entry = name + ".json";
        if (!listed.signed().object("meta").has(entry)) {
            throw new RejectedException(Code.UPD_MISMATCH, "the snapshot does not list " + entry);
        }
        Meta meta = Meta.of(listed, entry);
        Optional<Envelope> stored = stored(name, "targets", keys, MAX_TARGETS_BYTES);
        Envelope targets = stored.isPresent() && meta.names(stored.get())
                ? stored.get()
                : signed(fetch(meta, name, MAX_TARGETS_BYTES), "targets", keys, MAX_TARGETS_BYTES); // 5.6.1 to 5.6.3
        meta.requireVersion(targets); // 5.6.4
        targets.requireFresh(now); // 5.6.5
        TargetsRole role = TargetsRole.parse(targets);
        keep(name, targets); // 5.6.6
        roles.put(name, new Loaded(role, keys));
        return role;
    }

    private Envelope signed(byte[] bytes, String type, RootDocument.Role keys, int maxBytes) throws RejectedException {
        Envelope envelope = Envelope.parse(bytes, type, maxBytes);
        envelope.requireThreshold(keys, trusted.families(), verifier);
        return envelope;
    }

    /** The stored file where it verifies under {@code keys}; one that does not is as good as none. */
    private Optional<Envelope> stored(String name, String type, RootDocument.Role keys, int maxBytes)
            throws IOException, RejectedException {
        Path file = file(name);
        if (!Files.isRegularFile(file) || Files.size(file) > maxBytes) {
            return Optional.empty();
        }
        try {
            return Optional.of(signed(Files.readAllBytes(file), type, keys, maxBytes));
        } catch (RejectedException e) {
            if (e.rejection().code().id().startsWith("TEE-")) {
                throw e;
            }
            return Optional.empty();
        }
    }

    private void keep(String name, Envelope envelope) throws IOException {
        Path file = file(name);
        if (!Files.exists(file) || !Arrays.equals(Files.readAllBytes(file), envelope.bytes())) {
            disk.replace(file, envelope.bytes());
        }
    }

    private MetadataSource source() {
        MetadataSource chosen = source;
        if (chosen == null) {
            throw new IllegalStateException("not refreshed");
        }
        return chosen;
    }

    private byte[] required(String name, int maxBytes) throws RejectedException, IOException {
        return source().fetch(name, maxBytes)
                .orElseThrow(() -> new RejectedException(Code.LNK_REFUSED, name + " is not offered"));
    }

    private byte[] fetch(Meta meta, String name, int maxBytes) throws RejectedException, IOException {
        String prefix = consistentSnapshot() ? meta.version() + "." : "";
        byte[] bytes = required(prefix + RoleName.quoted(name) + ".json", meta.maxBytes(maxBytes));
        meta.requireBytes(bytes, name, maxBytes);
        return bytes;
    }

    private Path file(String role) {
        return directory.resolve(RoleName.quoted(role) + ".json");
    }

    /** A target's path, each segment escaped for a URL. */
    static String quotedPath(String path) {
        return Arrays.stream(path.split("/", -1)).map(RoleName::quoted).collect(Collectors.joining("/"));
    }

    static void requireNotOlder(String role, long version, long seen) throws RejectedException {
        if (version < seen) {
            throw new RejectedException(Code.UPD_ROLLBACK, role + " " + version + " after " + seen);
        }
    }
}
