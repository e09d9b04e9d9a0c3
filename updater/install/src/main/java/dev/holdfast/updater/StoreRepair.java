package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.storage.Disk;
import dev.holdfast.storage.DiskException;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.updater.StoreScrub.Checked;
import dev.holdfast.updater.StoreScrub.Finding;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/**
 * What is done about a model that was found damaged at rest. Its good blocks are the seed of its own repair: they are checked
 * against the signed tree, and only what fails is pulled. The file of the model in service is never written to: either the
 * model before it serves first, or a copy is repaired and takes the name.
 */
final class StoreRepair {
    private static final int COPY_BYTES = 1 << 20;

    private final InstallContext context;
    private final ModelStore store;

    StoreRepair(InstallContext context) {
        this.context = context;
        this.store = context.store();
    }

    Checked run(Slot slot, Optional<ModelTarget> listed) throws IOException {
        if (context.unfinished().isPresent()) {
            return new Checked(slot, Finding.DAMAGED, "an install is under way");
        }
        context.store().hold(context.model(), Set.of(slot.digest()));
        DownloadTurns.Turn turn;
        try {
            turn = context.turns().take(Set.of(slot.digest()), context.cancellation());
        } catch (InstallStop stop) {
            return new Checked(slot, Finding.DAMAGED, stop.reason().toString());
        }
        try {
            return inTurn(slot, listed);
        } catch (DiskException e) {
            if (e.isInterrupt()) {
                throw e;
            }
            return new Checked(
                    slot,
                    store.isQuarantined(slot.digest()) ? Finding.QUARANTINED : Finding.DAMAGED,
                    e.reason().toString());
        } finally {
            turn.end();
            context.store().release(context.model());
        }
    }

    private Checked inTurn(Slot slot, Optional<ModelTarget> listed) throws IOException {
        if (othersNeed(slot)) {
            return served(repairBeside(slot, listed));
        }
        boolean serves =
                context.serving().filter(s -> s.digest().equals(slot.digest())).isPresent();
        if (serves) {
            Optional<Slot> fallback = context.fallback();
            return fallback.isPresent() && maySucceed(fallback.get())
                    ? takeOut(slot)
                    : served(repairBeside(slot, listed));
        }
        if (store.pointer().grace().anyMatch(each -> each.slot().digest().equals(slot.digest()))) {
            noFallback(slot);
            // Requests that began on it may read it still. The order brings it back.
            context.graces().drop(slot.digest());
            Checked repaired = repairBeside(slot, listed);
            if (repaired.finding() == Finding.HEALED) {
                restoreFallback(slot);
            }
            return repaired;
        }
        // Set aside before it is named no more, and named again before it has its place: whatever is cut off, one of
        // the two is on the disk, and the next pass goes on.
        store.quarantine(slot.digest());
        noFallback(slot);
        return pull(slot, listed, Finding.QUARANTINED);
    }

    /** A fallback that does not hold must not be one when it is needed. */
    private void noFallback(Slot slot) throws IOException {
        if (context.fallback().filter(f -> f.digest().equals(slot.digest())).isPresent()) {
            context.point(context.serving().orElseThrow(), Optional.empty());
        }
    }

    /** Whether another model is made of the same bytes: they must not go while that one serves. */
    private boolean othersNeed(Slot slot) {
        return store.pointer()
                .slots()
                .anyMatch(other ->
                        other.digest().equals(slot.digest()) && !other.model().equals(slot.model()));
    }

    private boolean maySucceed(Slot fallback) throws IOException {
        return store.verifies(fallback) && isAllowed(fallback);
    }

    private boolean isAllowed(Slot fallback) throws IOException {
        try {
            return !context.ports().withdrawals().has(fallback)
                    && fallback.epoch() >= context.ports().epochFloors().of(fallback.model());
        } catch (TeeException e) {
            return false;
        }
    }

    private Checked takeOut(Slot slot) throws IOException {
        Rejection reason = new Rejection(Code.INS_DIGEST, "the stored " + slot.target() + " is damaged");
        try {
            Slot serving = context.serving().orElseThrow();
            new ModelSwap(context).rollBack(context.journal().orderOf(serving), serving, reason);
        } catch (InstallStop stop) {
            return new Checked(slot, Finding.DAMAGED, stop.reason().toString());
        }
        store.quarantine(slot.digest());
        return new Checked(slot, Finding.TAKEN_OUT, "the model before it serves; the order repairs this one");
    }

    /** It serves on as it was mapped. */
    private static Checked served(Checked repaired) {
        return repaired.finding() == Finding.HEALED
                ? new Checked(
                        repaired.slot(),
                        Finding.HEALED,
                        repaired.detail() + "; restart the inference process so that it maps the sound file")
                : repaired;
    }

    /** A sound copy takes the place of its name, and nothing is written to the file that is mapped. */
    private Checked repairBeside(Slot slot, Optional<ModelTarget> listed) throws IOException {
        Verdict<Long> room = store.space()
                .reserve(
                        slot.model(),
                        slot.length(),
                        0,
                        context.config().device().diskReserveBytes());
        if (room instanceof Verdict.Rejected<Long>(Rejection reason)) {
            return new Checked(slot, Finding.DAMAGED, reason.toString());
        }
        Checked pulled = new Checked(slot, Finding.DAMAGED, "");
        try {
            copy(store.blob(slot.digest()), store.part(slot.digest()));
            pulled = pull(slot, listed, Finding.DAMAGED);
        } finally {
            if (pulled.finding() != Finding.HEALED) {
                store.discardPartial(slot.digest());
            }
        }
        return pulled;
    }

    private void copy(Path from, Path to) throws IOException {
        try (Disk.OpenFile source = store.disk().open(from);
                Disk.OpenFile target = store.disk().open(to)) {
            target.truncate(0);
            ByteBuffer buffer = ByteBuffer.allocate(COPY_BYTES);
            for (long at = 0; at < source.size(); at += buffer.limit()) {
                try {
                    source.read(buffer.clear(), at);
                } catch (IOException e) {
                    // A sector that cannot be read leaves zeros, which the block tree finds.
                    buffer.limit((int) Math.min(COPY_BYTES, source.size() - at)).position(buffer.limit());
                }
                target.write(buffer.flip(), at);
            }
        }
    }

    private Checked pull(Slot slot, Optional<ModelTarget> listed, Finding otherwise) throws IOException {
        Optional<ModelTarget> target = listed.filter(
                t -> t.file().sha256().equals(slot.digest()) && t.file().length() == slot.length());
        if (target.isEmpty()) {
            return new Checked(slot, otherwise, "the fleet does not list it now");
        }
        BlockDownload download = new BlockDownload(context);
        PartialFile.Whole made;
        try {
            made = download.runHashed(target.get().file(), target.get().blocks());
        } catch (InstallStop stop) {
            return new Checked(slot, otherwise, stop.reason().toString());
        }
        return switch (store.verify(slot, made)) {
            case Verdict.Rejected<ModelStore.Verified>(Rejection reason) ->
                new Checked(slot, otherwise, reason.toString());
            case Verdict.Accepted<ModelStore.Verified>(ModelStore.Verified verified) -> {
                if (otherwise == Finding.QUARANTINED) {
                    restoreFallback(slot);
                }
                store.adopt(verified);
                yield new Checked(
                        slot,
                        Finding.HEALED,
                        download.progress(InstallState.DOWNLOADING).bytesReceived() + " bytes were pulled");
            }
        };
    }

    /** Its bytes were verified just now. */
    private void restoreFallback(Slot slot) throws IOException {
        if (context.serving().isPresent() && context.fallback().isEmpty() && isAllowed(slot)) {
            context.point(context.serving().get(), Optional.of(slot));
        }
    }
}
