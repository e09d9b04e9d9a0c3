package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.delta.DeltaApplier;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/** The first half of an install: from an order to a verified file among the blobs. Every step can be done again. */
final class ModelFetch {
    private final InstallContext context;
    private final BlockDownload download;

    ModelFetch(InstallContext context, BlockDownload download) {
        this.context = context;
        this.download = download;
    }

    /** {@code deltaAllowed} is false where a delta of this very order failed before. */
    void run(ModelOrder order, boolean deltaAllowed) throws IOException, InstallStop {
        DownloadTurns.Turn turn = context.turns().take(order.digests(), context.cancellation());
        try {
            inTurn(order, deltaAllowed);
        } finally {
            turn.end();
        }
    }

    private void inTurn(ModelOrder order, boolean deltaAllowed) throws IOException, InstallStop {
        Optional<Sha256> base = context.serving().map(Slot::digest);
        InstallPlan plan = plan(order, base, deltaAllowed);
        new AttachmentFetch(context, download).run(order.model());
        if (plan.present()) {
            enter(order, InstallState.VERIFIED);
        } else if (plan.delta().isPresent()) {
            fromDelta(order, plan.delta().get(), base);
        } else {
            whole(order);
        }
        enter(order, InstallState.STAGED);
        context.store().space().release(context.model());
    }

    private void whole(ModelOrder order) throws IOException, InstallStop {
        Slot slot = TargetSlot.of(order.model());
        enter(order, InstallState.DOWNLOADING);
        PartialFile.Whole made =
                download.runHashed(order.model().file(), order.model().blocks());
        switch (context.store().verify(slot, made)) {
            case Verdict.Rejected<ModelStore.Verified>(Rejection reason) -> {
                boolean sound =
                        download.stillHolds(order.model().file(), order.model().blocks());
                context.store().discardPartial(slot.digest());
                throw sound
                        ? new InstallStop(InstallStop.Kind.FAILED, reason)
                        : InstallStop.interrupted(
                                Code.INS_STORAGE, slot.target() + " reads otherwise than it was written");
            }
            case Verdict.Accepted<ModelStore.Verified>(ModelStore.Verified verified) -> adopt(order, verified);
        }
    }

    private void fromDelta(ModelOrder order, DeltaTarget delta, Optional<Sha256> base) throws IOException, InstallStop {
        try {
            adopt(order, patched(order, delta));
            deletePatch(delta);
        } catch (DeltaFailed e) {
            // A failed delta never silently becomes a full download on a metered link or beyond the budget.
            if (context.config().budget().metered()) {
                if (base.isPresent() && !holds(base.get())) {
                    // Not the patch is at fault: the scrub repairs the file that it is made from.
                    throw InstallStop.interrupted(
                            Code.INS_DIGEST, "the model that the delta is made from is damaged on the disk");
                }
                throw new InstallStop(InstallStop.Kind.FAILED, e.reason);
            }
            context.store().discardPartial(order.model().file().sha256());
            context.store().discardPartial(delta.file().sha256());
            plan(order, base, false);
            whole(order);
        }
    }

    /**
     * VERIFIED is on record before the file has its name. The record proves nothing to a later process, which hashes the file
     * again: only what this process saw is worth a rename without another look.
     */
    private void adopt(ModelOrder order, ModelStore.Verified verified) throws IOException {
        enter(order, InstallState.VERIFIED);
        context.store().adopt(verified);
    }

    private InstallPlan plan(ModelOrder order, Optional<Sha256> base, boolean deltaAllowed)
            throws IOException, InstallStop {
        // A file that came with an earlier order may have gone bad since: it is pulled again, and replaced when it is
        // whole.
        boolean present = context.store().verifies(TargetSlot.of(order.model()));
        InstallPlan plan = InstallPlan.choose(
                order,
                base,
                present,
                context.store().isQuarantined(order.model().file().sha256()),
                deltaAllowed,
                context.config());
        Sha256 digest = order.model().file().sha256();
        Set<Sha256> kept = new HashSet<>(Set.of(digest));
        plan.delta().ifPresent(delta -> kept.add(delta.file().sha256()));
        order.model()
                .attachments()
                .forEach(attachment -> kept.add(attachment.file().sha256()));
        context.store().hold(context.model(), kept);
        context.collect();
        long came = presentBytes(digest)
                + plan.delta().map(d -> presentBytes(d.file().sha256())).orElse(0L);
        reserve(plan.diskBytes(order), came);
        context.enter(
                InstallState.PLANNED,
                order.version(),
                TargetSlot.of(order.model()),
                Optional.empty(),
                plan.note(order));
        return plan;
    }

    private void reserve(long bytes, long present) throws InstallStop {
        long keepFree = context.config().device().diskReserveBytes();
        if (context.store().space().reserve(context.model(), bytes, present, keepFree)
                instanceof Verdict.Rejected<Long>(Rejection reason)) {
            throw new InstallStop(InstallStop.Kind.INTERRUPTED, reason);
        }
        if (!context.store().space().fits(keepFree)) {
            context.store().release(context.model());
            throw InstallStop.interrupted(Code.INS_DISK, "the install of another model takes the space that is free");
        }
    }

    private long presentBytes(Sha256 digest) {
        return context.store().part(digest).toFile().length();
    }

    private ModelStore.Verified patched(ModelOrder order, DeltaTarget delta)
            throws IOException, InstallStop, DeltaFailed {
        enter(order, InstallState.DOWNLOADING);
        download.run(delta.file(), delta.blocks());
        Path patch = context.store().part(delta.file().sha256());
        enter(order, InstallState.PATCH_VERIFIED);
        enter(order, InstallState.RECONSTRUCTING);
        PartialFile.Whole made = reconstruct(order, delta, patch);
        // The full model's own entry decides, whatever the patch promised.
        return switch (context.store().verify(TargetSlot.of(order.model()), made)) {
            case Verdict.Rejected<ModelStore.Verified>(Rejection reason) -> throw new DeltaFailed(reason);
            case Verdict.Accepted<ModelStore.Verified>(ModelStore.Verified verified) -> verified;
        };
    }

    private PartialFile.Whole reconstruct(ModelOrder order, DeltaTarget delta, Path patch)
            throws IOException, InstallStop, DeltaFailed {
        TargetFile file = order.model().file();
        Cancellation.Deadline deadline =
                context.cancellation().deadline(context.config().deadlines().state());
        Verdict<DeltaApplier> opened = DeltaApplier.open(context.store().blob(delta.base()), patch);
        switch (opened) {
            case Verdict.Rejected<DeltaApplier>(Rejection reason) -> throw new DeltaFailed(reason);
            case Verdict.Accepted<DeltaApplier>(DeltaApplier applier) -> {
                try (applier) {
                    if (!applier.base().equals(delta.base())
                            || !applier.result().equals(file.sha256())
                            || applier.resultBytes() != file.length()) {
                        throw new DeltaFailed(new Rejection(Code.DLT_BASE, "patch and metadata name other files"));
                    }
                    return reconstruct(file, applier, deadline);
                }
            }
        }
    }

    private PartialFile.Whole reconstruct(TargetFile file, DeltaApplier applier, Cancellation.Deadline deadline)
            throws IOException, InstallStop, DeltaFailed {
        try (PartialFile partial = PartialFile.openHashed(
                context.store().disk(), context.store().part(file.sha256()), PartialFile.Cut.of(applier))) {
            for (int i = 0; i < applier.blockCount(); i++) {
                context.cancellation().requireUnpaused();
                deadline.require(InstallState.RECONSTRUCTING);
                if (applier.make(i, partial) instanceof Verdict.Rejected<Integer>(Rejection reason)) {
                    throw new DeltaFailed(reason);
                }
            }
            return partial.finish();
        }
    }

    private boolean holds(Sha256 base) throws IOException {
        return context.store().has(base)
                && Sha256.ofFile(context.store().blob(base)).equals(base);
    }

    private void deletePatch(DeltaTarget delta) {
        try {
            context.store().discardPartial(delta.file().sha256());
        } catch (IOException e) {
            // Left for the next collection; the model is whole.
            return;
        }
    }

    private void enter(ModelOrder order, InstallState state) throws IOException {
        context.enter(state, order.version(), TargetSlot.of(order.model()), Optional.empty(), "");
    }

    /** The delta did not yield the model; the transport was not at fault. */
    private static final class DeltaFailed extends Exception {
        private static final long serialVersionUID = 1L;
        private final transient Rejection reason;

        DeltaFailed(Rejection reason) {
            super(reason.toString(), null, false, false);
            this.reason = reason;
        }
    }
}
