package dev.holdfast.tee.tpm;

import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.software.SoftwareState;
import dev.holdfast.tee.tpm.TpmKeys.Role;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.interfaces.ECPublicKey;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/** What the bridge does, in commands (TPM 2.0 Library Part 3). Only on the {@code tee} thread. */
final class TpmOperations {
    static final int MAX_ATTEST_BYTES = 512;
    private static final int MAX_SIGNATURE_BYTES = 128;
    /** TPML_DIGEST holds eight (Part 2, 10.9.5). */
    private static final int MAX_PCRS_READ = 8;

    /** PCRs that only a reset brings back and that the PC Client profile leaves to the operating system, best first. */
    private static final List<Integer> GUARDS = List.of(15, 13, 12, 11, 9, 8);

    /** Other software may extend the register between quote and read. */
    private static final int MAX_QUOTES = 4;

    private final TpmEngine engine;
    private final TpmKeys keys;
    private final TpmNv nv;
    private final TpmSecrets secrets;
    private final TpmCounter counter;
    private final TpmProvisioner provisioner;
    /** The PCR that is the register, or that guards it. */
    private final int pcr;

    private final Optional<TpmNvRegister> nvRegister;

    TpmOperations(TpmEngine engine, Tpm2Options options) {
        this.engine = engine;
        this.nv = new TpmNv(engine);
        this.keys = new TpmKeys(engine, nv, options.endorsement());
        this.secrets = new TpmSecrets(engine, keys, options.authorization());
        this.counter = new TpmCounter(engine, nv, secrets, options.authorization());
        this.provisioner = new TpmProvisioner(engine, nv, keys, secrets, counter, options);
        switch (options.register()) {
            case TpmRegister.Pcr(int index) -> {
                this.pcr = index;
                this.nvRegister = Optional.empty();
            }
            case TpmRegister.Nv index -> {
                this.pcr = index.guardPcr();
                this.nvRegister = Optional.of(new TpmNvRegister(engine, keys, nv, secrets, index));
            }
        }
    }

    TpmSecrets secrets() {
        return secrets;
    }

    TpmCounter counter() {
        return counter;
    }

    TpmProvisioner provisioner() {
        return provisioner;
    }

    TpmNv nv() {
        return nv;
    }

    TpmKeys keys() {
        return keys;
    }

    Binary endorsementCertificate() throws TeeException, RejectedException {
        return nv.endorsementCertificate(keys.endorsement());
    }

    byte[] sign(Sha256 digest) throws TeeException, RejectedException {
        return p1363(rest(secrets.sign(digest))).toArray();
    }

    /** TPM2_LoadExternal (12.3) and TPM2_VerifySignature (20.1). */
    boolean verify(ECPublicKey key, Sha256 digest, byte[] signature) throws TeeException, RejectedException {
        TpmEngine.Reply loaded = engine.load(new TpmCommand(Tpm.CC_LOAD_EXTERNAL)
                .with(w -> w.u16(0).sized(TpmPublic.verifier(key)).u32(Tpm.RH_NULL)));
        return keys.flushing(loaded.handle(), handle -> {
            TpmCommand command = new TpmCommand(Tpm.CC_VERIFY_SIGNATURE)
                    .handle(handle)
                    .with(w -> w.sized(digest.toArray()).bytes(TpmSignature.fromP1363(signature)));
            long rc = engine.send(command, false).rc();
            if (rc == Tpm.RC_SUCCESS) {
                return true;
            }
            if (Tpm.base(rc) == Tpm.RC_SIGNATURE) {
                return false;
            }
            throw TpmEngine.refusal(command, rc);
        });
    }

    Sha256 readRegister() throws TeeException, RejectedException {
        return nvRegister.isPresent() ? nvRegister.get().read() : readPcr();
    }

    void extendRegister(Sha256 digest) throws TeeException, RejectedException {
        if (nvRegister.isPresent()) {
            nvRegister.get().extend(digest, readPcr());
        } else {
            engine.run(pcrExtend(pcr, digest));
        }
    }

    /** TPM2_PCR_Read (22.4). */
    private Sha256 readPcr() throws TeeException, RejectedException {
        return new Sha256(Objects.requireNonNull(readPcrs(Set.of(pcr)).get(pcr)));
    }

    /** Of an NV register that has a value, the guard holds our own constant. */
    Optional<Sha256> measuredBefore() throws TeeException, RejectedException {
        Sha256 holds = readPcr();
        return hasBegun() || holds.equals(SoftwareState.ZERO) ? Optional.empty() : Optional.of(holds);
    }

    /** Whether the NV register has a value; what somebody planted at its index is no register. */
    private boolean hasBegun() throws TeeException, RejectedException {
        try {
            return nvRegister.isPresent() && !nvRegister.get().read().equals(SoftwareState.ZERO);
        } catch (TeeException e) {
            if (e.code() == Code.TEE_STATE) {
                return false;
            }
            throw e;
        }
    }

    /** An NV register behind the first of these PCRs that is zero; firmware, boot loader and system extend the others mostly. */
    Optional<TpmRegister> unusedRegister() throws TeeException, RejectedException {
        SortedMap<Integer, Binary> values = readPcrs(Set.copyOf(GUARDS));
        return GUARDS.stream()
                .filter(one -> Objects.requireNonNull(values.get(one)).equals(SoftwareState.ZERO.value()))
                .findFirst()
                .map(TpmRegister.Nv::new);
    }

    /** One command returns at most eight values. */
    private SortedMap<Integer, Binary> readPcrs(Set<Integer> pcrs) throws TeeException, RejectedException {
        SortedMap<Integer, Binary> values = new TreeMap<>();
        List<Integer> ordered = pcrs.stream().sorted().toList();
        for (int from = 0; from < ordered.size(); from += MAX_PCRS_READ) {
            List<Integer> some = ordered.subList(from, Math.min(from + MAX_PCRS_READ, ordered.size()));
            TpmReader reply = engine.run(new TpmCommand(Tpm.CC_PCR_READ).with(w -> selection(w, some)));
            reply.u32(); // update counter
            if (!TpmAttest.selections(reply).equals(List.of(TpmAttest.Selection.sha256(some)))
                    || reply.u32() != some.size()) {
                throw new TeeException(Code.TEE_REFUSED, "the TPM has no SHA-256 bank with PCR " + some);
            }
            for (int one : some) {
                Binary value = reply.sized(Sha256.BYTES);
                if (value.length() != Sha256.BYTES) {
                    throw reply.malformed("a register of " + value.length() + " bytes");
                }
                values.put(one, value);
            }
        }
        return values;
    }

    /** TPM2_PCR_Extend (22.2). */
    static TpmCommand pcrExtend(int pcr, Sha256 digest) {
        return new TpmCommand(Tpm.CC_PCR_EXTEND)
                .authorized(pcr)
                .with(w -> w.u32(1).u16(Tpm.ALG_SHA256).bytes(digest.toArray()));
    }

    /** TPM2_ReadClock (29.1). */
    long resetCount() throws TeeException, RejectedException {
        TpmReader reply = engine.run(new TpmCommand(Tpm.CC_READ_CLOCK));
        reply.u64(); // time
        reply.u64(); // clock
        return reply.u32();
    }

    /** TPM2_Quote (18.4), with the registers' values that it covers. */
    Quoter.Quote quote(Binary qualifyingData, Set<Integer> platformRegisters) throws TeeException, RejectedException {
        Set<Integer> pcrs = new TreeSet<>(platformRegisters);
        pcrs.add(pcr);
        for (int attempt = 1; attempt <= MAX_QUOTES; attempt++) {
            TpmReader reply = keys.use(
                    Role.ATTESTATION,
                    handle -> engine.run(new TpmCommand(Tpm.CC_QUOTE)
                            .authorized(handle)
                            .with(w -> selection(w.sized(qualifyingData).u16(Tpm.ALG_NULL), pcrs))));
            Binary attest = reply.sized(MAX_ATTEST_BYTES);
            Binary signature = rest(reply);
            SortedMap<Integer, Binary> values = readPcrs(pcrs);
            TpmAttest parsed = TpmAttest.parse(attest).orThrow();
            if (parsed.body() instanceof TpmAttest.Quoted quoted && quoted.covers(values)) {
                return new Quoter.Quote(attest, signature, values, certifyRegister(qualifyingData));
            }
        }
        throw new TeeException(Code.TEE_REFUSED, "PCRs " + pcrs + " keep changing: other software extends them");
    }

    private Optional<Quoter.Certificate> certifyRegister(Binary qualifyingData) throws TeeException, RejectedException {
        return nvRegister.isPresent() ? Optional.of(nvRegister.get().certify(qualifyingData)) : Optional.empty();
    }

    /** TPM2_Certify (18.2): both keys are loaded at once, which is two of three slots. */
    Quoter.Quote certifySigner(Binary qualifyingData) throws TeeException, RejectedException {
        TpmReader reply = secrets.with(
                Role.SIGNER,
                Tpm.CC_CERTIFY,
                command -> keys.use(
                        Role.ATTESTATION,
                        ak -> engine.run(command.authorized(ak, secrets.name(Role.ATTESTATION))
                                .with(w -> w.sized(qualifyingData).u16(Tpm.ALG_NULL)))));
        return new Quoter.Quote(reply.sized(MAX_ATTEST_BYTES), rest(reply), new TreeMap<>());
    }

    private static void selection(TpmWriter writer, Collection<Integer> pcrs) {
        TpmAttest.select(writer.u32(1), TpmAttest.Selection.sha256(pcrs));
    }

    static Binary rest(TpmReader reply) throws RejectedException {
        if (reply.remaining() > MAX_SIGNATURE_BYTES) {
            throw reply.malformed("a signature of " + reply.remaining() + " bytes");
        }
        return reply.bytes(reply.remaining());
    }

    private static Binary p1363(Binary tpmtSignature) throws RejectedException {
        Verdict<Binary> signature = TpmSignature.toP1363(tpmtSignature);
        return signature.orThrow();
    }
}
