package dev.holdfast.trust.client;

import dev.holdfast.storage.Disk;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The signed record of what a device has seen, as who provisions the device finds it. Provisioning makes the first one: an agent
 * that finds none beside an anchor refuses to go on. One thread.
 */
public final class DeviceRecord {
    /** What was found. */
    public enum Standing {
        ABSENT,
        /** There is one, but the TEE did not sign it: it was cleared or replaced, or the record is damaged. */
        FOREIGN,
        /** There is one of another factory root: of what it has seen nothing counts under this one. */
        OTHER_ROOT,
        /** The newest one, by the TEE's counter. */
        CURRENT,
        /** Older than what the TEE has counted. */
        BEHIND,
        /** The TEE signed it, but its counter is gone or another, so nobody knows whether there was a newer one. */
        UNCOUNTED
    }

    private final TrustStateStore store;
    private final Standing standing;
    private final TrustState first;
    private TrustState state;

    /** @param first what a device has seen that has seen its factory root and nothing else */
    private DeviceRecord(TrustStateStore store, Standing standing, TrustState first, TrustState state) {
        this.store = store;
        this.standing = standing;
        this.first = first;
        this.state = state;
    }

    /**
     * Looks at the record in the directory of {@link TrustClient}; a save that was cut off is finished.
     *
     * @return {@code TEE-*} where the TEE does not answer, {@code UPD-FORMAT} where the root is not one
     */
    public static Verdict<DeviceRecord> look(Path stateDir, byte[] factoryRoot, TrustAnchors anchors)
            throws IOException {
        return look(stateDir, factoryRoot, anchors, Disk.LOCAL);
    }

    static Verdict<DeviceRecord> look(Path stateDir, byte[] factoryRoot, TrustAnchors anchors, Disk disk)
            throws IOException {
        try {
            RootDocument root = RootDocument.parse(factoryRoot);
            TrustState first = TrustState.first(root.version(), root.hash());
            anchors.signer().publicKey(); // One that is out of reach would look like another one.
            TrustStateStore store = new TrustStateStore(stateDir, anchors, disk, root.hash());
            return Verdict.accepted(look(store, first));
        } catch (TeeException e) {
            return Verdict.rejected(e.code(), "state record: " + e.getMessage());
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
    }

    private static DeviceRecord look(TrustStateStore store, TrustState first) throws IOException, RejectedException {
        Optional<TrustState> found;
        try {
            found = store.load();
        } catch (RejectedException e) {
            if (e.rejection().code() != Code.TEE_STATE) {
                throw e;
            }
            return new DeviceRecord(store, Standing.FOREIGN, first, first);
        }
        if (found.isEmpty()) {
            return new DeviceRecord(store, Standing.ABSENT, first, first);
        }
        TrustState kept = found.get();
        if (!kept.anchor().equals(first.anchor())) {
            // Nothing of it counts but the number, so that the new record is the newer one.
            TrustState begun = first.numbered(kept.sequence(), kept.count());
            return new DeviceRecord(store, Standing.OTHER_ROOT, first, begun);
        }
        try {
            store.requireCurrent(found);
            return new DeviceRecord(store, Standing.CURRENT, first, kept);
        } catch (RejectedException e) {
            return switch (e.rejection().code()) {
                case TEE_ROLLBACK -> new DeviceRecord(store, Standing.BEHIND, first, kept);
                case TEE_STATE -> new DeviceRecord(store, Standing.UNCOUNTED, first, kept);
                default -> throw e;
            };
        }
    }

    /** Whether anything of a record is in the directory, whoever signed it. */
    public static boolean exists(Path stateDir) {
        return Files.exists(stateDir.resolve("state.0.json")) || Files.exists(stateDir.resolve("state.1.json"));
    }

    /** Makes the first record of a device. */
    public static Verdict<Boolean> begin(Path stateDir, Path factoryRoot, TrustAnchors anchors) throws IOException {
        return begin(stateDir, factoryRoot, anchors, Disk.LOCAL);
    }

    static Verdict<Boolean> begin(Path stateDir, Path factoryRoot, TrustAnchors anchors, Disk disk) throws IOException {
        try {
            look(stateDir, Files.readAllBytes(factoryRoot), anchors, disk)
                    .orThrow()
                    .sign();
            return Verdict.accepted(true);
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
    }

    public Standing standing() {
        return standing;
    }

    /** What it says, for a person. */
    public String text() {
        return "generation " + state.generation() + ", root " + state.root().version() + ", targets "
                + state.seen().targets() + ", floors "
                + (state.floors().isEmpty() ? "none" : state.floors());
    }

    /** Whether it says no more than the first record of a device, so that nothing is lost with it. */
    public boolean saysNothing() {
        return state.isFirst(first);
    }

    /** To be called before a new counter is made for a record that is {@link Standing#UNCOUNTED}; durable when it returns. */
    public void beginRenewal() throws IOException, RejectedException {
        state = store.beginRenewal(state);
    }

    /**
     * Of a record that is {@link Standing#UNCOUNTED}, once a new counter was made: whether the TEE can have counted no newer one. Where
     * others use counters of the same TPM, that may not be known, and the answer is no.
     */
    public boolean isNewest() throws RejectedException {
        return store.isNewest(state);
    }

    /**
     * Signs what was found, or a first record where nothing was found that the TEE signed, as the one that holds, and binds it to the
     * TEE's counter as that is now.
     */
    public void sign() throws IOException, RejectedException {
        store.readmit(state);
    }
}
