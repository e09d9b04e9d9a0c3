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
 * The bridge's NV indexes, all exempt from lockout:
 *
 * <table>
 * <caption>Indexes</caption>
 * <tr><td>0x018f4803</td><td>32 bytes, write-locked for good: the factory root's hash</td></tr>
 * <tr><td>0x018f4804, 0x018f4805</td><td>counter of an earlier version and its base, {@link TpmCounter}</td></tr>
 * <tr><td>0x018f4806</td><td>32 bytes, where it is chosen: the measurement register, {@link TpmNvRegister}</td></tr>
 * <tr><td>0x018f4807</td><td>counter, 8 bytes: generations of the signed record on the disk, {@link TpmCounter}</td></tr>
 * </table>
 *
 * {@link TpmProvisioner} alone defines them, but for the register, which guards itself. Whoever has the owner's authorization can
 * remove all of them. Only on the {@code tee} thread.
 */
final class TpmNv {
    static final long ANCHOR = 0x018f4803L;
    /** Certificates of the endorsement keys of templates L-2 and L-1 (EK Credential Profile, 2.2.1). */
    private static final Map<Role, Long> CERTIFICATES =
            Map.of(Role.ENDORSEMENT, 0x01c0000aL, Role.ENDORSEMENT_RSA, 0x01c00002L);

    /** What may be read and written with an empty authorization value. */
    static final long OPEN = Tpm.NV_OWNERWRITE | Tpm.NV_AUTHWRITE | Tpm.NV_OWNERREAD | Tpm.NV_AUTHREAD | Tpm.NV_NO_DA;
    /** The same, until it is locked for good. */
    static final long ONCE = OPEN | Tpm.NV_WRITEDEFINE;

    private static final long STATE_BITS = Tpm.NV_WRITTEN | Tpm.NV_WRITELOCKED;
    /** Certificates are longer than one read; every TPM reads this much at once. */
    private static final int READ_BYTES = 512;

    private static final int MAX_CERTIFICATE_BYTES = 8192;

    /** @param nameAlgorithm Holdfast's indexes, and only those, have to be named by SHA-256 */
    record Public(int nameAlgorithm, long attributes, int size) {
        boolean written() {
            return (attributes & Tpm.NV_WRITTEN) != 0;
        }

        boolean is(long kind, int bytes) {
            return nameAlgorithm == Tpm.ALG_SHA256 && (attributes & ~STATE_BITS) == kind && size == bytes;
        }

        boolean locked() {
            return (attributes & Tpm.NV_WRITELOCKED) != 0;
        }
    }

    private final TpmEngine engine;

    TpmNv(TpmEngine engine) {
        this.engine = engine;
    }

    /** {@code TEE-STATE} where something else is at the anchor's index. */
    Optional<Sha256> anchor() throws TeeException, RejectedException {
        Optional<Public> index = ours(ANCHOR, ONCE, Sha256.BYTES);
        return index.isPresent() && index.get().locked()
                ? Optional.of(new Sha256(Binary.copyOf(read(ANCHOR, Sha256.BYTES))))
                : Optional.empty();
    }

    /** The certificate in DER, perhaps with padding behind it; empty where the TPM holds none. */
    Binary endorsementCertificate(Role endorsement) throws TeeException, RejectedException {
        long certificate = Objects.requireNonNull(CERTIFICATES.get(endorsement));
        Optional<Public> index = find(certificate);
        if (index.isEmpty() || !index.get().written() || index.get().size() > MAX_CERTIFICATE_BYTES) {
            return Binary.empty();
        }
        try {
            return Binary.copyOf(read(certificate, index.get().size()));
        } catch (TeeException e) {
            if (e.code() == Code.TEE_STATE) {
                return Binary.empty(); // planted: a maker's certificate is readable by everybody
            }
            throw e;
        }
    }

    /** TPMS_NV_PUBLIC (Part 2, 13.5) of an index without a policy. */
    static Binary publicArea(long index, long attributes, int size) {
        return new TpmWriter()
                .u32(index)
                .u16(Tpm.ALG_SHA256)
                .u32(attributes)
                .u16(0)
                .u16(size)
                .toBinary();
    }

    /** TPM2_NV_DefineSpace (31.3) with an empty authorization value, where the owner has no password. */
    void define(Binary publicArea) throws TeeException, RejectedException {
        engine.run(new TpmCommand(Tpm.CC_NV_DEFINE_SPACE)
                .authorized(Tpm.RH_OWNER)
                .with(w -> w.u16(0).sized(publicArea)));
    }

    void writeOnce(long index, byte[] value) throws TeeException, RejectedException {
        engine.run(new TpmCommand(Tpm.CC_NV_WRITE)
                .authorized(index)
                .handle(index)
                .with(w -> w.sized(value).u16(0)));
        engine.run(new TpmCommand(Tpm.CC_NV_WRITE_LOCK).authorized(index).handle(index));
    }

    /** Whether the index has the empty authorization value that Holdfast gives it; one that is planted need not. */
    boolean isOpen(long index) throws TeeException, RejectedException {
        return !Tpm.isAuthFailure(engine.send(reading(index, 1, 0), false).rc());
    }

    /** TPM2_NV_Read (31.13). */
    private static TpmCommand reading(long index, int length, int offset) {
        return new TpmCommand(Tpm.CC_NV_READ)
                .authorized(index)
                .handle(index)
                .with(w -> w.u16(length).u16(offset));
    }

    /** {@code TEE-STATE} where the index asks for a password. */
    byte[] read(long index, int size) throws TeeException, RejectedException {
        byte[] out = new byte[size];
        for (int at = 0; at < size; at += READ_BYTES) {
            int length = Math.min(READ_BYTES, size - at);
            TpmCommand command = reading(index, length, at);
            TpmEngine.Reply reply = engine.send(command, false);
            if (Tpm.isAuthFailure(reply.rc())) {
                throw new TeeException(
                        Code.TEE_STATE,
                        "NV index 0x" + Long.toHexString(index) + " has a password that Holdfast did not give it");
            }
            if (reply.rc() != Tpm.RC_SUCCESS) {
                throw TpmEngine.refusal(command, reply.rc());
            }
            Binary piece = reply.parameters().sized(length);
            if (piece.length() != length) {
                throw new TeeException(Code.TEE_RESPONSE, "NV read returned " + piece.length() + " of " + length);
            }
            System.arraycopy(piece.toArray(), 0, out, at, length);
        }
        return Arrays.copyOf(out, size);
    }

    /** An index of ours, which must be of the kind that we define: a planted one is refused. */
    Optional<Public> ours(long index, long attributes, int size) throws TeeException, RejectedException {
        Optional<Public> found = find(index);
        if (found.isPresent() && !found.get().is(attributes, size)) {
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
        if (area.u32() != index) {
            throw area.malformed("another NV index than was asked for");
        }
        int nameAlgorithm = area.u16();
        long attributes = area.u32();
        area.sized(64);
        int size = area.u16();
        area.end();
        return Optional.of(new Public(nameAlgorithm, attributes, size));
    }

    /** TPMS_NV_PUBLIC, or nothing where the index is not defined. */
    Optional<Binary> publicArea(long index) throws TeeException, RejectedException {
        return published(index).map(TpmEngine.Published::area);
    }

    Optional<Binary> name(long index) throws TeeException, RejectedException {
        return published(index).map(TpmEngine.Published::name);
    }

    private Optional<TpmEngine.Published> published(long index) throws TeeException, RejectedException {
        return engine.published(Tpm.CC_NV_READ_PUBLIC, index);
    }
}
