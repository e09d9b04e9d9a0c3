package dev.holdfast.tee.tpm;

import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.software.SoftwareState;
import dev.holdfast.tee.tpm.TpmKeys.Role;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.Optional;
import java.util.Set;

/** The commands of {@link TpmRegister.Nv}. Only on the {@code tee} thread. */
final class TpmNvRegister {
    private final TpmEngine engine;
    private final TpmKeys keys;
    private final TpmNv nv;
    private final TpmSecrets secrets;
    private final TpmRegister.Nv register;

    TpmNvRegister(TpmEngine engine, TpmKeys keys, TpmNv nv, TpmSecrets secrets, TpmRegister.Nv register) {
        this.engine = engine;
        this.keys = keys;
        this.nv = nv;
        this.secrets = secrets;
        this.register = register;
    }

    /** The value, which is zero before the first event after a reset. */
    Sha256 read() throws TeeException, RejectedException {
        return written() ? new Sha256(Binary.copyOf(nv.read(register.index(), Sha256.BYTES))) : SoftwareState.ZERO;
    }

    /** TPM2_NV_Extend (31.8) in a policy session, then the guard, where it is not extended yet. */
    void extend(Sha256 digest, Sha256 guard) throws TeeException, RejectedException {
        if (nv.publicArea(register.index()).isEmpty()) {
            // Chosen after provisioning, or removed; without a value it cannot be certified before the guard lets it.
            nv.define(register.publicArea(false));
        }
        boolean written = written();
        if (!written && !guard.equals(SoftwareState.ZERO)) {
            throw new TeeException(
                    Code.TEE_REFUSED,
                    "PCR " + register.guardPcr() + " was extended before the first event; the register " + register
                            + " begins after the next reset");
        }
        Binary name = TpmPublic.name(register.publicArea(written));
        secrets.inSession(TpmSession.POLICY, session -> {
            engine.run(new TpmCommand(Tpm.CC_POLICY_NV_WRITTEN)
                    .handle(session.handle())
                    .with(w -> w.u8(written ? 1 : 0)));
            if (!written) {
                secrets.policyPcr(session, Set.of(register.guardPcr()));
            }
            engine.run(new TpmCommand(Tpm.CC_POLICY_OR)
                    .handle(session.handle())
                    .with(w -> w.u32(2)
                            .sized(register.firstPolicy().toArray())
                            .sized(register.laterPolicy().toArray())));
            return engine.run(new TpmCommand(Tpm.CC_NV_EXTEND)
                    .authorized(register.index(), name, session, 0)
                    .handle(register.index(), name)
                    .with(w -> w.sized(digest.toArray())));
        });
        if (guard.equals(SoftwareState.ZERO)) {
            engine.run(TpmOperations.pcrExtend(register.guardPcr(), register.cap()));
        }
    }

    /** TPM2_NV_Certify (31.16) by the attestation key. */
    Quoter.Certificate certify(Binary qualifyingData) throws TeeException, RejectedException {
        if (!written()) {
            throw new TeeException(Code.TEE_REFUSED, "nothing was measured since the TPM was reset");
        }
        TpmReader reply = keys.use(
                Role.ATTESTATION,
                ak -> engine.run(new TpmCommand(Tpm.CC_NV_CERTIFY)
                        .authorized(ak)
                        .authorized(register.index())
                        .handle(register.index())
                        .with(w -> w.sized(qualifyingData)
                                .u16(Tpm.ALG_NULL)
                                .u16(Sha256.BYTES)
                                .u16(0))));
        return new Quoter.Certificate(reply.sized(TpmOperations.MAX_ATTEST_BYTES), TpmOperations.rest(reply));
    }

    /** Whether the index is there and has a value. */
    private boolean written() throws TeeException, RejectedException {
        Optional<Binary> found = nv.publicArea(register.index());
        if (found.isEmpty()) {
            return false;
        }
        boolean written = found.get().equals(register.publicArea(true));
        if (!written && !found.get().equals(register.publicArea(false))) {
            throw new TeeException(
                    Code.TEE_STATE,
                    "NV index 0x" + Integer.toHexString(register.index()) + " is not as Holdfast defines it");
        }
        return written;
    }
}
