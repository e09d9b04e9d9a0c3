package dev.holdfast.tee.tpm;

import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.tpm.TpmKeys.Role;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * The bridge's NV indexes, all with an empty authorization value and exempt from lockout:
 *
 * <table>
 * <caption>Indexes</caption>
 * <tr><td>0x018f4803</td><td>32 bytes, write-locked for good: the factory root's hash</td></tr>
 * <tr><td>0x018f4804</td><td>counter, 8 bytes: generations of the signed record on the disk, absolute</td></tr>
 * <tr><td>0x018f4805</td><td>8 bytes, write-locked for good: the counter's value at provisioning</td></tr>
 * <tr><td>0x018f4806</td><td>32 bytes, where it is chosen: the measurement register, {@link TpmNvRegister}</td></tr>
 * </table>
 *
 * The counter starts at the highest value that any counter of this TPM ever had, so removing and defining
 * it again does not rewind it. Whoever has the owner's authorization can remove all of them; that is seen as a device that
 * is not provisioned. Only on the {@code tee} thread.
 */
final class TpmNv {
    static final long ANCHOR = 0x018f4803L;
    static final long COUNTER = 0x018f4804L;
    static final long BASE = 0x018f4805L;
    /** Certificates of the endorsement keys of templates L-2 and L-1 (EK Credential Profile, 2.2.1). */
    private static final Map<Role, Long> CERTIFICATES =
            Map.of(Role.ENDORSEMENT, 0x01c0000aL, Role.ENDORSEMENT_RSA, 0x01c00002L);

    private static final long ACCESS =
            Tpm.NV_OWNERWRITE | Tpm.NV_AUTHWRITE | Tpm.NV_OWNERREAD | Tpm.NV_AUTHREAD | Tpm.NV_NO_DA;
    private static final long ONCE = ACCESS | Tpm.NV_WRITEDEFINE;
    private static final long STATE_BITS = Tpm.NV_WRITTEN | Tpm.NV_WRITELOCKED;
    /** Certificates are longer than one read; every TPM reads this much at once. */
    private static final int READ_BYTES = 512;

    private static final int MAX_CERTIFICATE_BYTES = 8192;
    /** One NV write each, and NV wears out; a record is not so many generations ahead of its counter. */
    static final int MAX_STEPS = 1000;

    record Public(long attributes, int size) {
        boolean written() {
            return (attributes & Tpm.NV_WRITTEN) != 0;
        }

        boolean locked() {
            return (attributes & Tpm.NV_WRITELOCKED) != 0;
        }
    }

    private final TpmEngine engine;

    TpmNv(TpmEngine engine) {
        this.engine = engine;
    }

    /** The counter relative to its value at provisioning; defines both indexes where they are absent. */
    long counter() throws TeeException, RejectedException {
        long absolute = absolute();
        Optional<Public> base = ours(BASE, ONCE, Long.BYTES);
        if (base.isEmpty() || !base.get().locked()) {
            // Not provisioned to the end: the counter has not been handed out yet, so it may still be its own base.
            if (base.isEmpty()) {
                define(BASE, ONCE, Long.BYTES);
            }
            writeOnce(BASE, new TpmWriter().u64(absolute).toArray());
        }
        long first = new TpmReader(read(BASE, Long.BYTES)).u64();
        if (first > absolute) {
            throw new TeeException(Code.TEE_STATE, "the counter is below its first value");
        }
        return absolute - first;
    }

    void advance(long value) throws TeeException, RejectedException {
        long now = counter();
        if (value - now > MAX_STEPS) {
            throw new TeeException(Code.TEE_REFUSED, "the counter would move by more than " + MAX_STEPS);
        }
        for (; now < value; now++) {
            increment();
        }
    }

    Optional<Sha256> anchor() throws TeeException, RejectedException {
        Optional<Public> index = ours(ANCHOR, ONCE, Sha256.BYTES);
        return index.isPresent() && index.get().locked()
                ? Optional.of(new Sha256(Binary.copyOf(read(ANCHOR, Sha256.BYTES))))
                : Optional.empty();
    }

    void provision(Sha256 value) throws TeeException, RejectedException {
        Optional<Sha256> known = anchor();
        if (known.isPresent()) {
            if (!known.get().equals(value)) {
                throw new TeeException(Code.TEE_REFUSED, "another factory root is stored for good");
            }
            return;
        }
        if (ours(ANCHOR, ONCE, Sha256.BYTES).isEmpty()) {
            define(ANCHOR, ONCE, Sha256.BYTES);
        }
        writeOnce(ANCHOR, value.toArray());
    }

    /** The certificate in DER, perhaps with padding behind it; empty where the TPM holds none. */
    Binary endorsementCertificate(Role endorsement) throws TeeException, RejectedException {
        long certificate = Objects.requireNonNull(CERTIFICATES.get(endorsement));
        Optional<Public> index = find(certificate);
        if (index.isEmpty() || !index.get().written() || index.get().size() > MAX_CERTIFICATE_BYTES) {
            return Binary.empty();
        }
        return Binary.copyOf(read(certificate, index.get().size()));
    }

    private long absolute() throws TeeException, RejectedException {
        Optional<Public> index = ours(COUNTER, ACCESS | Tpm.NV_COUNTER, Long.BYTES);
        if (index.isEmpty()) {
            define(COUNTER, ACCESS | Tpm.NV_COUNTER, Long.BYTES);
        }
        if (index.isEmpty() || !index.get().written()) {
            increment(); // a counter is readable from its first increment on
        }
        return new TpmReader(read(COUNTER, Long.BYTES)).u64();
    }

    private void increment() throws TeeException, RejectedException {
        engine.run(new TpmCommand(Tpm.CC_NV_INCREMENT).authorized(COUNTER).handle(COUNTER));
    }

    private void define(long index, long attributes, int size) throws TeeException, RejectedException {
        define(new TpmWriter()
                .u32(index)
                .u16(Tpm.ALG_SHA256)
                .u32(attributes)
                .u16(0)
                .u16(size)
                .toBinary());
    }

    /** TPM2_NV_DefineSpace (31.3) with an empty authorization value. */
    void define(Binary publicArea) throws TeeException, RejectedException {
        engine.run(new TpmCommand(Tpm.CC_NV_DEFINE_SPACE)
                .authorized(Tpm.RH_OWNER)
                .with(w -> w.u16(0).sized(publicArea)));
    }

    private void writeOnce(long index, byte[] value) throws TeeException, RejectedException {
        engine.run(new TpmCommand(Tpm.CC_NV_WRITE)
                .authorized(index)
                .handle(index)
                .with(w -> w.sized(value).u16(0)));
        engine.run(new TpmCommand(Tpm.CC_NV_WRITE_LOCK).authorized(index).handle(index));
    }

    byte[] read(long index, int size) throws TeeException, RejectedException {
        byte[] out = new byte[size];
        for (int at = 0; at < size; at += READ_BYTES) {
            int offset = at;
            int length = Math.min(READ_BYTES, size - at);
            Binary piece = engine.run(new TpmCommand(Tpm.CC_NV_READ)
                            .authorized(index)
                            .handle(index)
                            .with(w -> w.u16(length).u16(offset)))
                    .sized(length);
            if (piece.length() != length) {
                throw new TeeException(Code.TEE_RESPONSE, "NV read returned " + piece.length() + " of " + length);
            }
            System.arraycopy(piece.toArray(), 0, out, at, length);
        }
        return Arrays.copyOf(out, size);
    }

    /** An index of ours, which must be of the kind that we define: a planted one is refused. */
    private Optional<Public> ours(long index, long attributes, int size) throws TeeException, RejectedException {
        Optional<Public> found = find(index);
        if (found.isPresent()
                && ((found.get().attributes() & ~STATE_BITS) != attributes
                        || found.get().size() != size)) {
            throw new TeeException(
                    Code.TEE_STATE, "NV index 0x" + Long.toHexString(index) + " is not as Holdfast defines it");
        }
        return found;
    }

    Optional<Public> find(long index) throws TeeException, RejectedException {
        Optional<Binary> found = publicArea(index);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        TpmReader area = new TpmReader(found.get().toArray());
        if (area.u32() != index || area.u16() != Tpm.ALG_SHA256) {
            throw area.malformed("another NV index than was asked for");
        }
        long attributes = area.u32();
        area.sized(64);
        int size = area.u16();
        area.end();
        return Optional.of(new Public(attributes, size));
    }

    /** TPM2_NV_ReadPublic (31.6): TPMS_NV_PUBLIC, or nothing where the index is not defined. */
    Optional<Binary> publicArea(long index) throws TeeException, RejectedException {
        TpmCommand command = new TpmCommand(Tpm.CC_NV_READ_PUBLIC).handle(index);
        TpmEngine.Reply reply = engine.send(command, false);
        if (Tpm.base(reply.rc()) == Tpm.RC_HANDLE) {
            return Optional.empty();
        }
        if (reply.rc() != Tpm.RC_SUCCESS) {
            throw TpmEngine.refusal(command, reply.rc());
        }
        return Optional.of(reply.parameters().sized(TpmConnection.MAX_BYTES));
    }
}
