package dev.holdfast.tee.tpm;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.tpm.TpmKeys.Role;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Defines and removes the indexes, and stores keys where the owner has a password. The password goes into the key of a session
 * and never over the bus. Only on the {@code tee} thread.
 */
final class TpmProvisioner {
    /** TPM_PT_PERMANENT (Part 2, 6.13), whose lowest bit is ownerAuthSet (8.6). */
    private static final long PT_PERMANENT = 0x200;

    private static final long OWNER_AUTH_SET = 1;

    private final TpmEngine engine;
    private final TpmNv nv;
    private final TpmKeys keys;
    private final TpmSecrets secrets;
    private final TpmCounter counter;
    private final Tpm2Options options;

    TpmProvisioner(
            TpmEngine engine, TpmNv nv, TpmKeys keys, TpmSecrets secrets, TpmCounter counter, Tpm2Options options) {
        this.engine = engine;
        this.nv = nv;
        this.keys = keys;
        this.secrets = secrets;
        this.counter = counter;
        this.options = options;
    }

    static boolean ownerHasPassword(TpmEngine engine) throws TeeException, RejectedException {
        return (engine.property(PT_PERMANENT) & OWNER_AUTH_SET) != 0;
    }

    List<String> prepareKeys(AuthValue owner) throws TeeException, RejectedException {
        requireAuthorization();
        List<String> made = new ArrayList<>();
        boolean stored = ownerHasPassword(engine);
        for (Role role : List.of(Role.SIGNER, Role.STORAGE)) {
            if (stored && !(keys.isStored(role) && secrets.opens(role))) {
                store(role, owner);
                made.add("the " + role.text() + " key is stored at " + hex(role.persistent()));
            } else if (!stored && evictStored(role, owner)) {
                made.add("the key at " + hex(role.persistent())
                        + " is removed: while the TPM's owner has no password, anybody can store one there");
            }
        }
        return made;
    }

    private void requireAuthorization() throws TeeException {
        if (options.authorization().isEmpty()) {
            throw new TeeException(Code.TEE_REFUSED, "counter and keys need an authorization value");
        }
    }

    List<String> prepareCounter(AuthValue owner) throws TeeException, RejectedException {
        requireAuthorization();
        List<String> made = new ArrayList<>();
        if (!counter.isOurs() || counter.kind() != TpmCounter.Kind.GUARDED) {
            if (nv.publicArea(TpmCounter.INDEX).isPresent()) {
                undefine(TpmCounter.INDEX, owner);
            }
            define(TpmCounter.publicArea(false), options.authorization(), owner);
            counter.begin();
            made.add("NV " + hex(TpmCounter.INDEX) + ", the counter, is at " + counter.read());
        }
        if (options.register() instanceof TpmRegister.Nv register) {
            Optional<Binary> found = nv.publicArea(register.index());
            boolean asDefined = found.equals(Optional.of(register.publicArea(true)))
                    || found.equals(Optional.of(register.publicArea(false)));
            boolean ours = asDefined && nv.isOpen(register.index());
            if (found.isPresent() && !ours) {
                undefine(register.index(), owner);
            }
            if (!ours) {
                define(register.publicArea(false), AuthValue.EMPTY, owner);
                made.add("NV " + hex(register.index()) + ", the measurement register");
            }
        }
        return made;
    }

    void anchor(Sha256 factoryRoot, AuthValue owner) throws TeeException, RejectedException {
        Optional<Sha256> known = anchored();
        if (known.isPresent() && !known.get().equals(factoryRoot)) {
            throw new TeeException(
                    Code.TEE_REFUSED,
                    "another factory root is anchored, " + known.get() + ": holdfast deprovision first");
        }
        if (known.isEmpty()) {
            if (nv.publicArea(TpmNv.ANCHOR).isPresent()) {
                undefine(TpmNv.ANCHOR, owner); // planted, or not locked before the power went
            }
            define(TpmNv.publicArea(TpmNv.ANCHOR, TpmNv.ONCE, Sha256.BYTES), AuthValue.EMPTY, owner);
            nv.writeOnce(TpmNv.ANCHOR, factoryRoot.toArray());
        }
        for (long earlier : new long[] {TpmCounter.EARLIER, TpmCounter.BASE}) {
            if (nv.publicArea(earlier).isPresent()) {
                undefine(earlier, owner);
            }
        }
    }

    /** What somebody planted at the index is no anchor. */
    private Optional<Sha256> anchored() throws TeeException, RejectedException {
        try {
            return nv.anchor();
        } catch (TeeException e) {
            if (e.code() == Code.TEE_STATE) {
                return Optional.empty();
            }
            throw e;
        }
    }

    List<String> remove(AuthValue owner) throws TeeException, RejectedException {
        List<String> removed = new ArrayList<>();
        // The anchor goes first: what is cut off then is a device that nobody takes for a provisioned one.
        for (long index :
                new long[] {TpmNv.ANCHOR, TpmCounter.INDEX, TpmCounter.EARLIER, TpmCounter.BASE, TpmRegister.Nv.INDEX
                }) {
            if (nv.publicArea(index).isPresent()) {
                undefine(index, owner);
                removed.add("NV index " + hex(index));
            }
        }
        for (Role role : List.of(Role.SIGNER, Role.STORAGE)) {
            if (evictStored(role, owner)) {
                removed.add("the " + role.text() + " key at " + hex(role.persistent()));
            }
        }
        return removed;
    }

    /** TPM2_NV_DefineSpace (31.3); the index's own authorization value is encrypted. */
    private void define(Binary publicArea, AuthValue value, AuthValue owner) throws TeeException, RejectedException {
        secrets.inSession(
                TpmSession.HMAC,
                session -> byOwner(new TpmCommand(Tpm.CC_NV_DEFINE_SPACE)
                        .authorized(Tpm.RH_OWNER, session, TpmSession.DECRYPT, owner)
                        .with(w -> w.sized(value.bytes()).sized(publicArea))));
    }

    /** TPM2_NV_UndefineSpace (31.4). */
    private void undefine(long index, AuthValue owner) throws TeeException, RejectedException {
        Binary name = nv.name(index)
                .orElseThrow(() -> new TeeException(Code.TEE_RESPONSE, "an index went while it was looked at"));
        secrets.inSession(
                TpmSession.HMAC,
                session -> byOwner(new TpmCommand(Tpm.CC_NV_UNDEFINE_SPACE)
                        .authorized(Tpm.RH_OWNER, session, 0, owner)
                        .handle(index, name)));
    }

    /** The key that the TPM derives anyway, now with an authorization value, and at a handle that needs no password of the owner. */
    private void store(Role role, AuthValue owner) throws TeeException, RejectedException {
        evictStored(role, owner);
        TpmEngine.Reply made = secrets.inSession(
                TpmSession.HMAC,
                session -> loadByOwner(keys.creation(
                        new TpmCommand(Tpm.CC_CREATE_PRIMARY)
                                .authorized(Tpm.RH_OWNER, session, TpmSession.DECRYPT, owner),
                        role,
                        options.authorization())));
        Binary name = TpmPublic.name(made.parameters().sized(TpmConnection.MAX_BYTES));
        keys.flushing(made.handle(), handle -> evict(handle, name, role.persistent(), owner));
        keys.forget(role);
    }

    /** Removes what is at the key's handle, whatever it is; whether anything was. */
    private boolean evictStored(Role role, AuthValue owner) throws TeeException, RejectedException {
        Optional<Binary> name = keys.storedName(role);
        if (name.isPresent()) {
            evict(role.persistent(), name.get(), role.persistent(), owner);
            keys.forget(role);
        }
        return name.isPresent();
    }

    /** TPM2_EvictControl (28.5): stores a loaded object, or removes a stored one. */
    private TpmReader evict(long object, Binary name, long persistent, AuthValue owner)
            throws TeeException, RejectedException {
        return secrets.inSession(
                TpmSession.HMAC,
                session -> byOwner(new TpmCommand(Tpm.CC_EVICT_CONTROL)
                        .authorized(Tpm.RH_OWNER, session, 0, owner)
                        .handle(object, name)
                        .with(w -> w.u32(persistent))));
    }

    private TpmReader byOwner(TpmCommand command) throws TeeException, RejectedException {
        return accepted(command, engine.send(command, false)).parameters();
    }

    private TpmEngine.Reply loadByOwner(TpmCommand command) throws TeeException, RejectedException {
        return accepted(command, engine.send(command, true));
    }

    private static TpmEngine.Reply accepted(TpmCommand command, TpmEngine.Reply reply) throws TeeException {
        if (Tpm.isAuthFailure(reply.rc())) {
            throw new TeeException(Code.TEE_REFUSED, "the TPM's owner has another password");
        }
        if (reply.rc() != Tpm.RC_SUCCESS) {
            throw TpmEngine.refusal(command, reply.rc());
        }
        return reply;
    }

    private static String hex(long handle) {
        return "0x" + Long.toHexString(handle);
    }
}
