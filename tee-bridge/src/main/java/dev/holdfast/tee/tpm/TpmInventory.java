package dev.holdfast.tee.tpm;

import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeInventory;
import dev.holdfast.tee.TeeInventory.Finding;
import dev.holdfast.tee.TeeInventory.State;
import dev.holdfast.tee.tpm.TpmKeys.Role;
import dev.holdfast.wire.Code;
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
    private final TpmKeys keys;
    private final TpmSecrets secrets;
    private final TpmCounter counter;

    TpmInventory(TpmEngine engine, TpmOperations operations) {
        this.engine = engine;
        this.nv = operations.nv();
        this.keys = operations.keys();
        this.secrets = operations.secrets();
        this.counter = operations.counter();
    }

    /** Indexes and lockout; keys and register are the bridge's to add. */
    TeeInventory look() throws TeeException, RejectedException {
        List<Finding> findings = new ArrayList<>();
        Optional<Sha256> stored = Optional.empty();
        boolean planted = false;
        try {
            stored = nv.anchor();
            findings.add(
                    nv.find(TpmNv.ANCHOR).isPresent() && stored.isEmpty()
                            ? missingRoot(
                                    hex(TpmNv.ANCHOR) + " is defined but not locked: provisioning did not end",
                                    TeeInventory.PROVISION)
                            : TeeInventory.factoryRoot(
                                    stored, "NV " + hex(TpmNv.ANCHOR) + ", written once, locked for good"));
        } catch (TeeException e) {
            if (e.code() != Code.TEE_STATE) {
                throw e;
            }
            planted = true;
            findings.add(missingRoot(String.valueOf(e.getMessage()), TeeInventory.PROVISION_AGAIN));
        }
        findings.add(counter(stored.isPresent() || planted));
        findings.add(owner());
        findings.add(lockout());
        return new TeeInventory(stored, findings);
    }

    private static Finding missingRoot(String detail, String remedy) {
        return new Finding("factory root index", State.MISSING, detail, remedy);
    }

    private Finding counter(boolean anchored) throws TeeException, RejectedException {
        String remedy = anchored ? TeeInventory.PROVISION_AGAIN : TeeInventory.PROVISION;
        try {
            return switch (counter.kind()) {
                case GUARDED ->
                    Finding.sound(
                            TeeInventory.STATE_COUNTER,
                            "NV " + hex(TpmCounter.INDEX) + " is at " + counter.read()
                                    + ", moved by this device's state directory alone");
                case EARLIER ->
                    new Finding(
                            TeeInventory.STATE_COUNTER,
                            State.NOTABLE,
                            "NV " + hex(TpmCounter.EARLIER) + " is at " + counter.read()
                                    + ", without a password: whoever may use the TPM moves it and stops updates",
                            remedy);
                case ABSENT ->
                    new Finding(
                            TeeInventory.STATE_COUNTER,
                            State.MISSING,
                            anchored ? "the counter that provisioning made is gone" : "not provisioned",
                            remedy);
            };
        } catch (TeeException e) {
            return new Finding(TeeInventory.STATE_COUNTER, State.MISSING, String.valueOf(e.getMessage()), remedy);
        }
    }

    /** What whoever may use the TPM can do besides is in the README. */
    private Finding owner() throws TeeException, RejectedException {
        if (!TpmProvisioner.ownerHasPassword(engine)) {
            for (Role role : List.of(Role.SIGNER, Role.STORAGE)) {
                if (keys.storedName(role).isPresent()) {
                    return new Finding(
                            "owner",
                            State.NOTABLE,
                            "has no password, and a key is stored at " + hex(role.persistent())
                                    + " that anybody can replace",
                            TeeInventory.PROVISION_AGAIN);
                }
            }
            return Finding.sound(
                    "owner",
                    "has no password: whoever may use the TPM can remove the indexes, and sign as this device");
        }
        for (Role role : List.of(Role.SIGNER, Role.STORAGE)) {
            if (!keys.isStored(role)) {
                return unusable("has a password since provisioning, so this device's keys are out of reach");
            }
            if (!secrets.opens(role)) {
                return unusable(
                        "has a password, and the key stored at " + hex(role.persistent())
                                + " does not take this device's authorization value: that was lost, or somebody else stored the key");
            }
        }
        return Finding.sound("owner", "has a password; keys are stored with a password of their own");
    }

    private static Finding unusable(String detail) {
        return new Finding("owner", State.MISSING, detail, TeeInventory.PROVISION_AGAIN);
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
