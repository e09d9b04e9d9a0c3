package dev.holdfast.trust.client;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.MonotonicCounter;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Two files that take turns, each signed by the TEE: whatever moment the power goes, one of them is whole. The signature
 * covers a label, so that it can never stand for anything else that the same key signs.
 *
 * <p>A counter of the TEE counts the generations of the record, so that a disk which was put back as a whole is noticed: the
 * record is written first and counted then, hence one that is a single generation ahead was cut off in between. A new generation
 * is one of other versions or floors; a newer timestamp over the same snapshot, or the time, does not wear the counter out.
 */
final class TrustStateStore {
    /** With as many withdrawals as a fleet can have. */
    private static final int MAX_BYTES = 512 * 1024;

    private static final byte[] LABEL = "holdfast trust state 1\0".getBytes(StandardCharsets.US_ASCII);

    private final Path directory;
    private final TrustAnchors anchors;
    private final Disk disk;
    private final Sha256 factory;
    /** Highest number and generation that a save gave, also one that failed: the disk may hold it, and the TEE have counted it. */
    private long numbered;

    private long generation;

    /** @param factory the factory root that is anchored, which records of formats 1 and 2 do not name */
    TrustStateStore(Path directory, TrustAnchors anchors, Disk disk, Sha256 factory) {
        this.factory = factory;
        this.directory = directory;
        this.anchors = anchors;
        this.disk = disk;
    }

    /** The newest record that verifies; empty where there never was one; {@code TEE-STATE} where none verifies. */
    Optional<TrustState> load() throws IOException, RejectedException {
        Optional<TrustState> newest = Optional.empty();
        boolean present = false;
        for (int slot = 0; slot < 2; slot++) {
            if (!Files.exists(file(slot))) {
                continue;
            }
            present = true;
            Optional<TrustState> state = read(Files.readAllBytes(file(slot)));
            if (state.isPresent()
                    && newest.map(n -> n.sequence() < state.get().sequence()).orElse(true)) {
                newest = state;
            }
        }
        if (present && newest.isEmpty()) {
            throw new RejectedException(Code.TEE_STATE, "no state record verifies");
        }
        return newest;
    }

    /**
     * Finishes a save that was cut off before it was counted.
     *
     * @return the record that holds
     * @throws RejectedException {@code TEE-ROLLBACK} where the TEE has counted further than the record knows, or there is no record,
     *     which provisioning makes; {@code TEE-STATE} where the counter is gone, or another than that of the record
     */
    TrustState requireCurrent(Optional<TrustState> newest) throws RejectedException {
        try {
            long counted = anchors.generation().read();
            if (newest.isEmpty()) {
                throw new RejectedException(Code.TEE_ROLLBACK, "there is no record, the TEE counted " + counted);
            }
            TrustState record = newest.get();
            if (!record.count().counter().equals(anchors.generation().identity())) {
                throw new RejectedException(
                        Code.TEE_STATE, "the record is bound to another counter than the one in the TEE");
            }
            long recorded = record.generation();
            String both = "the record is of generation " + recorded + ", the TEE counted " + counted;
            if (recorded < counted) {
                throw new RejectedException(Code.TEE_ROLLBACK, both);
            }
            if (recorded > counted + 1) {
                throw new RejectedException(Code.TEE_STATE, both);
            }
            if (recorded > counted) {
                anchors.generation().advanceTo(recorded);
            }
            return record;
        } catch (TeeException e) {
            throw new RejectedException(e.code(), "state counter: " + e.getMessage());
        }
    }

    /**
     * Finishes a save that was cut off between its two files: a counted record must survive the loss of either.
     *
     * @param state what {@link #requireCurrent} let pass
     */
    TrustState settle(TrustState state) throws IOException, RejectedException {
        Path other = file((int) ((state.sequence() + 1) % 2));
        boolean both = Files.exists(other)
                && read(Files.readAllBytes(other))
                        .filter(known -> known.count().equals(state.count()))
                        .isPresent();
        return both ? state : write(state.numbered(state.sequence() + 1, state.generation()));
    }

    /**
     * Signs {@code state} as the one that holds, whatever the TEE has counted: a device is provisioned, or the disk was put back on
     * purpose.
     */
    void readmit(TrustState state) throws IOException, RejectedException {
        disk.createDirectories(directory);
        if (state.isFirst(TrustState.first(state.root().version(), factory))) {
            forgetMetadata();
        }
        try {
            MonotonicCounter counter = anchors.generation();
            TrustState.Count count = new TrustState.Count(counter.read(), counter.identity());
            // Into both files, the other one first: what was there does not come back.
            write(state.numbered(state.sequence() + 1, count));
            write(state.numbered(state.sequence() + 2, count));
        } catch (TeeException e) {
            throw new RejectedException(e.code(), "state counter: " + e.getMessage());
        }
    }

    /** There may be some of another factory root, which verifies and binds where both fleets share keys. */
    private void forgetMetadata() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            for (Path link : files.filter(file -> file.getFileName().toString().endsWith(RootChain.LINK))
                    .toList()) {
                disk.delete(link);
            }
        }
        Path metadata = directory.resolve(RootChain.METADATA);
        if (Files.isDirectory(metadata)) {
            disk.deleteIfExists(metadata.resolve("timestamp.json"));
            disk.delete(metadata.resolve("snapshot.json"));
        }
    }

    /**
     * Whether no newer record than {@code state} was ever counted, by a counter that was made after it: a TPM begins each counter above
     * every value that any of its counters had, so one that is just above the record's generation leaves room for none between.
     */
    boolean isNewest(TrustState state) throws RejectedException {
        try {
            return state.generation() + 1 >= anchors.generation().read();
        } catch (TeeException e) {
            throw new RejectedException(e.code(), "state counter: " + e.getMessage());
        }
    }

    /**
     * Notes in the record that a new counter is being made for it. Without that a power cut right afterwards would leave a record which
     * nobody can tell from one that was put back.
     */
    TrustState beginRenewal(TrustState state) throws IOException, RejectedException {
        return state.count().isRenewing()
                ? state
                : write(state.numbered(state.sequence() + 1, state.count().renewing()));
    }

    private Optional<TrustState> read(byte[] bytes) throws RejectedException {
        try {
            Fields file = Fields.read(bytes, MAX_BYTES, Code.UPD_FORMAT);
            Fields state = file.object("state");
            byte[] signature = Binary.fromHex(file.text("sig", 128)).orThrow().toArray();
            boolean good = anchors.verifier().verify(anchors.signer().publicKey(), digest(state), signature);
            return good ? Optional.of(TrustState.fromJson(state, factory)) : Optional.empty();
        } catch (TeeException e) {
            throw new RejectedException(e.code(), "state record: " + e.getMessage());
        } catch (RejectedException e) {
            return Optional.empty();
        }
    }

    /**
     * Durable, and counted where {@code state} {@linkplain TrustState#differsFrom differs} from {@code before}. A counted record goes
     * into both files, so that the loss of either leaves one that is current.
     */
    TrustState save(TrustState before, TrustState state) throws IOException, RejectedException {
        boolean failedBefore = generation > before.generation();
        boolean counts = state.differsFrom(before) || failedBefore;
        if (!counts) {
            return write(state.numbered(numberAfter(before), before.generation()));
        }
        generation = before.generation() + 1;
        TrustState next = write(state.numbered(numberAfter(before), generation));
        try {
            anchors.generation().advanceTo(generation);
        } catch (TeeException e) {
            throw new RejectedException(e.code(), "state counter: " + e.getMessage());
        }
        return write(next.numbered(numberAfter(next), generation));
    }

    private long numberAfter(TrustState before) {
        numbered = Math.max(numbered, before.sequence()) + 1;
        return numbered;
    }

    private TrustState write(TrustState next) throws IOException, RejectedException {
        ObjectNode file = Json.object();
        file.set("state", next.toJson());
        try {
            byte[] signature = anchors.signer().sign(digest(new Fields(next.toJson(), Code.UPD_FORMAT)));
            file.put("sig", Binary.copyOf(signature).hex());
        } catch (TeeException e) {
            throw new RejectedException(e.code(), "state record: " + e.getMessage());
        }
        disk.replace(file((int) (next.sequence() % 2)), Json.write(file));
        return next;
    }

    private static Sha256 digest(Fields state) {
        return Sha256.of(LABEL, CanonicalJson.bytes(state.node()));
    }

    private Path file(int slot) {
        return directory.resolve("state." + slot + ".json");
    }
}
