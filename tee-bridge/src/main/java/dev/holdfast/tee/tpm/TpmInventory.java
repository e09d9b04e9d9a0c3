package dev.holdfast.tee.tpm;

import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeInventory;
import dev.holdfast.tee.TeeInventory.Finding;
import dev.holdfast.tee.TeeInventory.State;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Looks at a TPM's NV indexes and its lockout counter; makes nothing. Only on the {@code tee} thread. */
final class TpmInventory {
    // TPM_PT (Part 2, 6.13)
    private static final long PT_LOCKOUT_COUNTER = 0x20e;
    private static final long PT_MAX_AUTH_FAIL = 0x20f;
    private static final long PT_LOCKOUT_INTERVAL = 0x210;

    private final TpmEngine engine;
    private final TpmNv nv;

    TpmInventory(TpmEngine engine, TpmNv nv) {
        this.engine = engine;
        this.nv = nv;
    }

    /** Indexes and lockout; keys and register are the bridge's to add. */
    TeeInventory look() throws TeeException, RejectedException {
        List<Finding> findings = new ArrayList<>();
        Optional<TpmNv.Public> anchor = nv.find(TpmNv.ANCHOR);
        Optional<Sha256> stored = nv.anchor();
        findings.add(
                anchor.isPresent() && stored.isEmpty()
                        ? new Finding(
                                "factory root index",
                                State.MISSING,
                                hex(TpmNv.ANCHOR) + " is defined but not locked: provisioning did not end",
                                TeeInventory.PROVISION)
                        : TeeInventory.factoryRoot(
                                stored, "NV " + hex(TpmNv.ANCHOR) + ", written once, locked for good"));
        findings.add(counter());
        findings.add(lockout());
        return new TeeInventory(stored, findings);
    }

    /** Reading the counter through the bridge would define it. */
    private Finding counter() throws TeeException, RejectedException {
        Optional<TpmNv.Public> counter = nv.find(TpmNv.COUNTER);
        Optional<TpmNv.Public> base = nv.find(TpmNv.BASE);
        if (counter.isEmpty() || base.isEmpty() || !base.get().locked()) {
            return new Finding(
                    TeeInventory.STATE_COUNTER,
                    State.MISSING,
                    "NV " + hex(TpmNv.COUNTER) + " and its base are not both there",
                    TeeInventory.PROVISION);
        }
        return Finding.sound(
                TeeInventory.STATE_COUNTER,
                "NV " + hex(TpmNv.COUNTER) + " is at " + nv.counter() + ", its base " + hex(TpmNv.BASE) + " is locked");
    }

    /** Failed authorizations of anything in this TPM, and power cuts, count; Holdfast's keys and indexes are exempt. */
    private Finding lockout() throws TeeException, RejectedException {
        long failures = engine.property(PT_LOCKOUT_COUNTER);
        long limit = engine.property(PT_MAX_AUTH_FAIL);
        String count = failures + " of " + limit + " failures, one is forgotten every "
                + engine.property(PT_LOCKOUT_INTERVAL) + " s";
        return failures == 0
                ? Finding.sound("lockout counter", count)
                : new Finding(
                        "lockout counter",
                        State.NOTABLE,
                        count + (failures >= limit ? ": the TPM is locked" : ""),
                        "Holdfast's keys are exempt; others clear it with tpm2_dictionarylockout --clear-lockout");
    }

    private static String hex(long index) {
        return "0x" + Long.toHexString(index);
    }
}
