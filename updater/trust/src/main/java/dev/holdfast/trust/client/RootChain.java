package dev.holdfast.trust.client;

import dev.holdfast.storage.Disk;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/** The trusted root, verified link by link from the hash in the TEE, and the state record beside it. */
final class RootChain implements TrustedRoot, SeenVersions {
    /** Folder of the stored metadata: one of its own, since whoever delegates chooses names of files. */
    static final String METADATA = "metadata";

    /** How the names of files with stored links end. */
    static final String LINK = ".root.json";

    private final Path directory;
    private final Disk disk;
    private final TrustAnchors anchors;
    private final TrustStateStore store;
    private final FamilyPolicy families;
    private volatile RootDocument root;
    private volatile TrustState state;

    private RootChain(
            Path directory,
            Disk disk,
            TrustAnchors anchors,
            TrustStateStore store,
            RootDocument factory,
            TrustState state)
            throws RejectedException {
        this.directory = directory;
        this.disk = disk;
        this.anchors = anchors;
        this.store = store;
        this.families = FamilyPolicy.of(factory);
        this.root = factory;
        this.state = state;
    }

    static RootChain load(Path directory, Path factoryRoot, TrustAnchors anchors, Disk disk)
            throws IOException, RejectedException {
        if (!Files.isRegularFile(factoryRoot) || Files.size(factoryRoot) > RootDocument.MAX_BYTES) {
            throw new RejectedException(Code.UPD_ANCHOR, "there is no factory root of a sane length");
        }
        byte[] factory = Files.readAllBytes(factoryRoot);
        requireAnchored(factory, anchors);
        RootDocument first = RootDocument.parse(factory);
        TrustStateStore store = new TrustStateStore(directory, anchors, disk, first.hash());
        TrustState seen = store.requireCurrent(store.load());
        if (!seen.anchor().equals(first.hash())) {
            // Whoever may use the TPM could have brought that about, so it is not for the agent to begin anew.
            throw new RejectedException(
                    Code.TEE_STATE,
                    "the record is of another factory root, " + seen.anchor()
                            + ": holdfast provision --again --accept-state begins anew under the one that is anchored");
        }
        TrustState state = store.settle(seen);
        RootChain chain = new RootChain(directory, disk, anchors, store, first, state);
        chain.replay();
        return chain;
    }

    static void requireAnchored(byte[] factory, TrustAnchors anchors) throws RejectedException {
        try {
            Optional<Sha256> anchored = anchors.store().read();
            if (!anchored.equals(Optional.of(Sha256.of(factory)))) {
                throw new RejectedException(
                        Code.UPD_ANCHOR,
                        anchored.isPresent() ? "another factory root is anchored" : "no factory root is anchored");
            }
        } catch (TeeException e) {
            throw new RejectedException(e.code(), "anchor: " + e.getMessage());
        }
    }

    /** Stored links are untrusted: each is verified again. A damaged one ends the chain and is fetched anew. */
    private void replay() throws IOException, RejectedException {
        while (true) {
            Path next = file(root.version() + 1);
            if (!Files.exists(next) || Files.size(next) > RootDocument.MAX_BYTES) {
                break;
            }
            RootDocument link;
            try {
                link = verify(Files.readAllBytes(next));
            } catch (RejectedException e) {
                if (e.rejection().code().id().startsWith("TEE-")) {
                    throw e;
                }
                break;
            }
            accept(link);
        }
        if (root.version() == state.root().version()
                && !root.hash().equals(state.root().hash())) {
            throw new RejectedException(Code.TEE_STATE, "another root of version " + root.version() + " was seen");
        }
    }

    @Override
    public RootDocument verify(byte[] bytes) throws RejectedException {
        return root.next(bytes, families, anchors.verifier());
    }

    @Override
    public void append(RootDocument next) throws IOException, RejectedException {
        disk.replace(file(next.version()), next.envelope().bytes());
        accept(next);
    }

    private void accept(RootDocument next) throws IOException, RejectedException {
        if (next.version() > state.root().version()) {
            // The record comes first: a root that it does not know would let the next start forget what was seen under
            // it.
            RootDocument previous = root;
            update(known -> following(known, next, previous));
        }
        root = next;
    }

    private static TrustState following(TrustState known, RootDocument next, RootDocument previous)
            throws RejectedException {
        TrustState changed = known.root(next.version(), next.hash());
        // 5.3.11: recovery from fast-forward attacks by rotation of the keys.
        if (next.rotates("timestamp", previous) || next.rotates("snapshot", previous)) {
            changed = changed.image(0, 0, 0);
        }
        if (next.rotates(RootDocument.DIRECTOR, previous)) {
            changed = changed.withoutOrders();
        }
        // The only way to take a withdrawal back: those who hold the root say that others withdraw from now on.
        if (next.rotates(RootDocument.REVOCATIONS, previous)) {
            changed = changed.withdrawn(Withdrawn.NOTHING);
        }
        return changed;
    }

    /** How a record follows from the one before. */
    @FunctionalInterface
    interface Change {
        TrustState of(TrustState known) throws RejectedException;
    }

    /** Saves what {@code change} makes of the newest record, where it makes another. May be called from any thread. */
    synchronized void update(Change change) throws IOException, RejectedException {
        TrustState changed = change.of(state);
        if (!changed.equals(state)) {
            state = store.save(state, changed);
        }
    }

    @Override
    public RootDocument root() {
        return root;
    }

    @Override
    public FamilyPolicy families() {
        return families;
    }

    @Override
    public long timestamp() {
        return state.seen().timestamp();
    }

    @Override
    public long snapshot() {
        return state.seen().snapshot();
    }

    @Override
    public long targets() {
        return state.seen().targets();
    }

    @Override
    public void raise(long timestamp, long snapshot, long targets) throws IOException, RejectedException {
        update(known -> known.image(
                Math.max(timestamp, known.seen().timestamp()),
                Math.max(snapshot, known.seen().snapshot()),
                Math.max(targets, known.seen().targets())));
    }

    @Override
    public long revocations() {
        return state.withdrawn().version();
    }

    @Override
    public Set<String> withdrawn() {
        return state.withdrawn().paths();
    }

    @Override
    public void withdraw(Revocations list) throws IOException, RejectedException {
        update(known -> known.withdrawn(known.withdrawn().with(list)));
    }

    TrustState state() {
        return state;
    }

    private Path file(long version) {
        return directory.resolve(version + LINK);
    }
}
