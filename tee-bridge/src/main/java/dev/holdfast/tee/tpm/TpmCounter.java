package dev.holdfast.tee.tpm;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.Optional;

/**
 * The counter of the signed record's generations, as {@link TpmProvisioner} made it.
 *
 * <p>It moves and is read with an authorization value that only the agent's state directory holds, in a session: the owner's
 * authorization does not move it, nor does anybody else who may use the TPM, and the bus cannot change what it says. A TPM starts a
 * counter above every value that any of its counters ever had (Part 3, 31.7), so one that was removed and defined again never
 * says what an older record says: the record names the value itself, and none that is relative to anything.
 *
 * <p>A device that an earlier version provisioned has a counter without an authorization value, and a second index with the
 * value to which it is relative. They are used until {@code holdfast provision --again} carries them over. Only on the {@code tee}
 * thread.
 */
final class TpmCounter {
    static final long INDEX = 0x018f4807L;
    static final long ATTRIBUTES =
            Tpm.NV_COUNTER | Tpm.NV_AUTHWRITE | Tpm.NV_AUTHREAD | Tpm.NV_OWNERREAD | Tpm.NV_NO_DA;
    /** Those of an earlier version. */
    static final long EARLIER = 0x018f4804L;

    static final long BASE = 0x018f4805L;
    private static final long EARLIER_ATTRIBUTES = TpmNv.OPEN | Tpm.NV_COUNTER;

    /** One NV write each, and NV wears out; a record is not so many generations ahead of its counter. */
    static final int MAX_STEPS = 1000;

    /** What there is. */
    enum Kind {
        /** With an authorization value. */
        GUARDED,
        /** Of an earlier version: whole, and without an authorization value. */
        EARLIER,
        /** None, or not all of it. */
        ABSENT
    }

    private final TpmEngine engine;
    private final TpmNv nv;
    private final TpmSecrets secrets;
    private final AuthValue authorization;

    TpmCounter(TpmEngine engine, TpmNv nv, TpmSecrets secrets, AuthValue authorization) {
        this.engine = engine;
        this.nv = nv;
        this.secrets = secrets;
        this.authorization = authorization;
    }

    /** TPMS_NV_PUBLIC; the name is a hash of it. */
    static Binary publicArea(boolean written) {
        return TpmNv.publicArea(INDEX, ATTRIBUTES | (written ? Tpm.NV_WRITTEN : 0), Long.BYTES);
    }

    Kind kind() throws TeeException, RejectedException {
        Optional<Binary> found = nv.publicArea(INDEX);
        if (found.isPresent()) {
            if (found.get().equals(publicArea(true))) {
                return Kind.GUARDED;
            }
            if (found.get().equals(publicArea(false))) {
                return Kind.ABSENT; // provisioning did not come to the first increment
            }
            throw new TeeException(
                    Code.TEE_STATE, "NV index 0x" + Long.toHexString(INDEX) + " is not as Holdfast defines it");
        }
        boolean counter = nv.ours(EARLIER, EARLIER_ATTRIBUTES, Long.BYTES)
                .filter(TpmNv.Public::written)
                .isPresent();
        boolean base = nv.ours(BASE, TpmNv.ONCE, Long.BYTES)
                .filter(TpmNv.Public::locked)
                .isPresent();
        return counter && base ? Kind.EARLIER : Kind.ABSENT;
    }

    long read() throws TeeException, RejectedException {
        return switch (kind()) {
            case GUARDED -> secrets.inSession(TpmSession.HMAC, this::read);
            case EARLIER -> earlier();
            case ABSENT ->
                throw new TeeException(Code.TEE_STATE, "the counter that provisioning made is not in the TPM any more");
        };
    }

    void advance(long value) throws TeeException, RejectedException {
        long now = read();
        if (value - now > MAX_STEPS) {
            throw new TeeException(Code.TEE_REFUSED, "the counter would move by more than " + MAX_STEPS);
        }
        if (value <= now) {
            return;
        }
        if (kind() == Kind.EARLIER) {
            for (long at = now; at < value; at++) {
                engine.run(
                        new TpmCommand(Tpm.CC_NV_INCREMENT).authorized(EARLIER).handle(EARLIER));
            }
            return;
        }
        secrets.inSession(TpmSession.HMAC, session -> {
            for (long at = now; at < value; at++) {
                increment(session, true);
            }
            return value;
        });
    }

    /** The name of the index; empty for a counter of an earlier version, which records of that version are bound to. */
    String identity() throws TeeException, RejectedException {
        return kind() == Kind.EARLIER ? "" : TpmPublic.name(publicArea(true)).hex();
    }

    /** Whether the authorization value that this bridge has is the counter's. */
    boolean isOurs() throws TeeException, RejectedException {
        try {
            read();
            return true;
        } catch (TeeException e) {
            if (e.code() == Code.TEE_STATE) {
                return false;
            }
            throw e;
        }
    }

    /** The first increment, from which on a counter can be read. */
    void begin() throws TeeException, RejectedException {
        secrets.inSession(TpmSession.HMAC, session -> increment(session, false));
    }

    private TpmReader increment(TpmSession session, boolean written) throws TeeException, RejectedException {
        Binary name = TpmPublic.name(publicArea(written));
        return authorized(new TpmCommand(Tpm.CC_NV_INCREMENT)
                .authorized(INDEX, name, session, 0, required())
                .handle(INDEX, name));
    }

    private long read(TpmSession session) throws TeeException, RejectedException {
        Binary name = TpmPublic.name(publicArea(true));
        TpmReader reply = authorized(new TpmCommand(Tpm.CC_NV_READ)
                .authorized(INDEX, name, session, 0, required())
                .handle(INDEX, name)
                .with(w -> w.u16(Long.BYTES).u16(0)));
        TpmReader value = new TpmReader(reply.sized(Long.BYTES).toArray());
        long counted = value.u64();
        value.end();
        return counted;
    }

    private TpmReader authorized(TpmCommand command) throws TeeException, RejectedException {
        TpmEngine.Reply reply = engine.send(command, false);
        if (Tpm.isAuthFailure(reply.rc())) {
            throw new TeeException(
                    Code.TEE_STATE,
                    "the counter in the TPM is not the one that provisioning made: it has another password");
        }
        if (reply.rc() != Tpm.RC_SUCCESS) {
            throw TpmEngine.refusal(command, reply.rc());
        }
        return reply.parameters();
    }

    private AuthValue required() throws TeeException {
        if (authorization.isEmpty()) {
            throw new TeeException(
                    Code.TEE_STATE, "the counter's authorization value is not in the state directory any more");
        }
        return authorization;
    }

    private long earlier() throws TeeException, RejectedException {
        long absolute = new TpmReader(nv.read(EARLIER, Long.BYTES)).u64();
        long first = new TpmReader(nv.read(BASE, Long.BYTES)).u64();
        if (first > absolute) {
            throw new TeeException(Code.TEE_STATE, "the counter is below its first value");
        }
        return absolute - first;
    }
}
