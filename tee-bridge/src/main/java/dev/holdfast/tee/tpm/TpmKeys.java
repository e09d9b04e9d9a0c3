package dev.holdfast.tee.tpm;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.security.interfaces.ECPublicKey;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The bridge's keys. Each is a primary: the TPM derives it from its seed and our template, so it is the same after
 * every start and takes no NV space. Between operations a key rests as a saved context outside the TPM, because a TPM
 * without a resource manager has three slots. After a reset the contexts are void and the key is derived again. Only on
 * the {@code tee} thread.
 */
final class TpmKeys {
    /** Signing keys whose authorization is empty, exempt from dictionary-attack lockout (three power cuts cause it). */
    private static final long OWN =
            Tpm.FIXED_TPM | Tpm.FIXED_PARENT | Tpm.SENSITIVE_DATA_ORIGIN | Tpm.USER_WITH_AUTH | Tpm.NO_DA;

    /** PolicySecret(TPM_RH_ENDORSEMENT): PolicyA of the TCG EK Credential Profile. */
    static final Binary EK_POLICY =
            Binary.copyOf(HexFormat.of().parseHex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"));

    private static final int RSA_BITS = 2048;

    private static final long ENDORSEMENT_ATTRIBUTES = Tpm.FIXED_TPM
            | Tpm.FIXED_PARENT
            | Tpm.SENSITIVE_DATA_ORIGIN
            | Tpm.ADMIN_WITH_POLICY
            | Tpm.RESTRICTED
            | Tpm.DECRYPT;

    /** What each key is for. */
    enum Role {
        /** TCG default template L-2 (EK Credential Profile, annex B): fits the certificate in NV 0x01c0000a. */
        ENDORSEMENT(Tpm.RH_ENDORSEMENT, template(ENDORSEMENT_ATTRIBUTES, EK_POLICY, new byte[32], new byte[32])),
        /** TCG default template L-1, RSA with 2048 bits: fits the certificate in NV 0x01c00002. */
        ENDORSEMENT_RSA(Tpm.RH_ENDORSEMENT, rsaTemplate()),
        /** Under the endorsement hierarchy, where resetCount is not obfuscated (Part 1, "Timing Components"). */
        ATTESTATION(
                Tpm.RH_ENDORSEMENT,
                template(OWN | Tpm.RESTRICTED | Tpm.SIGN_ENCRYPT, Binary.empty(), label("attestation"), new byte[0])),
        /** Under the owner's hierarchy: a new owner is a new device. */
        SIGNER(Tpm.RH_OWNER, template(OWN | Tpm.SIGN_ENCRYPT, Binary.empty(), label("signer"), new byte[0])),
        /** The parent of sealed secrets. */
        STORAGE(
                Tpm.RH_OWNER,
                template(OWN | Tpm.RESTRICTED | Tpm.DECRYPT, Binary.empty(), label("storage"), new byte[0]));

        /** In the range that the registry of reserved handles leaves to the owner. */
        private static final long PERSISTENT_FIRST = 0x81008f40L;

        private final long hierarchy;
        private final Binary template;

        Role(long hierarchy, Binary template) {
            this.hierarchy = hierarchy;
            this.template = template;
        }

        /** Where the key is stored when the owner has a password; only keys under the owner's hierarchy are. */
        long persistent() {
            return PERSISTENT_FIRST + ordinal();
        }

        String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private record Saved(Binary context, TpmKeyArea publicArea) {}

    /** Works with a loaded key. */
    @FunctionalInterface
    interface Use<T> {
        T with(long handle) throws TeeException, RejectedException;
    }

    private final TpmEngine engine;
    private final TpmNv nv;
    /** The endorsement key's name. */
    private final Optional<Binary> pinned;

    private @Nullable Role endorsement;
    private final Map<Role, Saved> saved = new EnumMap<>(Role.class);
    /** Keys of the owner's hierarchy that were looked for at their handles: empty for one that is not there. */
    private final Map<Role, Optional<TpmPublic>> stored = new EnumMap<>(Role.class);

    TpmKeys(TpmEngine engine, TpmNv nv, Optional<Binary> pinned) {
        this.engine = engine;
        this.pinned = pinned;
        this.nv = nv;
    }

    /** The endorsement key whose certificate the TPM holds; P-256 where it holds both or none. */
    Role endorsement() throws TeeException, RejectedException {
        Role chosen = endorsement;
        if (chosen == null) {
            boolean rsa = nv.endorsementCertificate(Role.ENDORSEMENT).length() == 0
                    && nv.endorsementCertificate(Role.ENDORSEMENT_RSA).length() > 0;
            chosen = rsa ? Role.ENDORSEMENT_RSA : Role.ENDORSEMENT;
            endorsement = chosen;
        }
        return chosen;
    }

    /** The point of a key that is on P-256: every one but {@link Role#ENDORSEMENT_RSA}. */
    ECPublicKey point(Role role) throws TeeException, RejectedException {
        if (publicArea(role) instanceof TpmPublic ecc) {
            return ecc.key();
        }
        throw new IllegalArgumentException(role + " is not a P-256 key");
    }

    /** The key's public area. */
    TpmKeyArea publicArea(Role role) throws TeeException, RejectedException {
        Optional<TpmPublic> kept = stored(role);
        if (kept.isPresent()) {
            return kept.get();
        }
        Saved known = saved.get(role);
        if (known == null) {
            engine.flush(create(role));
            known = saved.get(role);
        }
        if (known == null) {
            throw new IllegalStateException("a key that was created is saved");
        }
        return known.publicArea();
    }

    /** Loads the key, uses it, and takes it out again; one that is stored stays where it is. */
    <T> T use(Role role, Use<T> use) throws TeeException, RejectedException {
        return isStored(role) ? use.with(role.persistent()) : flushing(load(role), use);
    }

    /** Whether the key is stored, and so has an authorization value. */
    boolean isStored(Role role) throws TeeException, RejectedException {
        return stored(role).isPresent();
    }

    private Optional<TpmPublic> stored(Role role) throws TeeException, RejectedException {
        if (role.hierarchy != Tpm.RH_OWNER) {
            return Optional.empty();
        }
        Optional<TpmPublic> known = stored.get(role);
        if (known == null) {
            known = published(role)
                    .flatMap(
                            found -> TpmPublic.parse(found.area()) instanceof Verdict.Accepted<TpmPublic>(TpmPublic key)
                                    ? Optional.of(key)
                                    : Optional.empty())
                    .filter(key -> isOf(role, key));
            stored.put(role, known);
        }
        return known;
    }

    /** The template says everything but the point. */
    private static boolean isOf(Role role, TpmPublic key) {
        int fixed = role.template.length() - 2 * Short.BYTES - P256.FIELD_BYTES;
        return Binary.copyOf(key.encoded().toArray(), 0, fixed)
                .equals(Binary.copyOf(role.template.toArray(), 0, fixed));
    }

    /** The name of what is at the key's handle, whatever it is. */
    Optional<Binary> storedName(Role role) throws TeeException, RejectedException {
        return published(role).map(TpmEngine.Published::name);
    }

    private Optional<TpmEngine.Published> published(Role role) throws TeeException, RejectedException {
        return engine.published(Tpm.CC_READ_PUBLIC, role.persistent());
    }

    /** The key is stored elsewhere from now on, or nowhere. */
    void forget(Role role) {
        saved.remove(role);
        stored.remove(role);
    }

    /** TPM2_CreatePrimary (24.1) with everything but its authorization. */
    TpmCommand creation(TpmCommand authorized, Role role, AuthValue value) {
        return authorized.with(
                w -> w.sized(new TpmWriter().sized(value.bytes()).u16(0).toArray())
                        .sized(role.template)
                        .u16(0)
                        .u32(0));
    }

    /** Uses {@code handle} and flushes it, whatever happens. */
    <T> T flushing(long handle, Use<T> use) throws TeeException, RejectedException {
        T result;
        try {
            result = use.with(handle);
        } catch (TeeException | RejectedException e) {
            try {
                engine.flush(handle);
            } catch (TeeException | RejectedException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
        engine.flush(handle);
        return result;
    }

    private long load(Role role) throws TeeException, RejectedException {
        @Nullable Saved known = saved.get(role);
        if (known != null) {
            TpmEngine.Reply reply =
                    engine.send(new TpmCommand(Tpm.CC_CONTEXT_LOAD).with(w -> w.bytes(known.context())), true);
            if (reply.rc() == Tpm.RC_SUCCESS) {
                return reply.handle();
            }
        }
        return create(role);
    }

    private long create(Role role) throws TeeException, RejectedException {
        TpmCommand command =
                creation(new TpmCommand(Tpm.CC_CREATE_PRIMARY).authorized(role.hierarchy), role, AuthValue.EMPTY);
        TpmEngine.Reply reply = engine.send(command, true);
        if (Tpm.isAuthFailure(reply.rc())) {
            throw new TeeException(
                    Code.TEE_STATE,
                    "the TPM's " + (role.hierarchy == Tpm.RH_OWNER ? "owner" : "endorsement hierarchy")
                            + " has a password since provisioning, so the " + role.text() + " key is out of reach");
        }
        if (reply.rc() != Tpm.RC_SUCCESS) {
            throw TpmEngine.refusal(command, reply.rc());
        }
        try {
            Binary encoded = reply.parameters().sized(TpmConnection.MAX_BYTES);
            TpmKeyArea area = role == Role.ENDORSEMENT_RSA
                    ? TpmRsaPublic.parse(encoded).orThrow()
                    : TpmPublic.parse(encoded).orThrow();
            boolean isEndorsement = role == Role.ENDORSEMENT || role == Role.ENDORSEMENT_RSA;
            if (isEndorsement && pinned.isPresent() && !pinned.get().equals(area.name())) {
                throw new TeeException(
                        Code.TEE_STATE, "the TPM's endorsement key is not the one that was there at provisioning");
            }
            Saved before = saved.get(role);
            if (before != null && !before.publicArea().equals(area)) {
                throw new TeeException(Code.TEE_STATE, "the TPM's seed has changed: the " + role + " key is another");
            }
            TpmReader context = engine.run(new TpmCommand(Tpm.CC_CONTEXT_SAVE).with(w -> w.u32(reply.handle())));
            saved.put(role, new Saved(context.bytes(context.remaining()), area));
            return reply.handle();
        } catch (TeeException | RejectedException e) {
            try {
                engine.flush(reply.handle());
            } catch (TeeException | RejectedException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }

    private static byte[] label(String purpose) {
        return Sha256.of(("holdfast " + purpose + " key 1").getBytes(StandardCharsets.US_ASCII))
                .toArray();
    }

    private static Binary rsaTemplate() {
        return new TpmWriter()
                .u16(Tpm.ALG_RSA)
                .u16(Tpm.ALG_SHA256)
                .u32(ENDORSEMENT_ATTRIBUTES)
                .sized(EK_POLICY)
                .u16(Tpm.ALG_AES)
                .u16(128)
                .u16(Tpm.ALG_CFB)
                .u16(Tpm.ALG_NULL)
                .u16(RSA_BITS)
                .u32(0) // the exponent 65537
                .sized(new byte[RSA_BITS / 8])
                .toBinary();
    }

    /** TPMT_PUBLIC of a P-256 key; {@code x} and {@code y} vary the derivation. */
    private static Binary template(long attributes, Binary policy, byte[] x, byte[] y) {
        TpmWriter writer = new TpmWriter()
                .u16(Tpm.ALG_ECC)
                .u16(Tpm.ALG_SHA256)
                .u32(attributes)
                .sized(policy);
        if ((attributes & Tpm.DECRYPT) != 0) {
            writer.u16(Tpm.ALG_AES).u16(128).u16(Tpm.ALG_CFB).u16(Tpm.ALG_NULL);
        } else {
            writer.u16(Tpm.ALG_NULL).u16(Tpm.ALG_ECDSA).u16(Tpm.ALG_SHA256);
        }
        return writer.u16(Tpm.ECC_NIST_P256).u16(Tpm.ALG_NULL).sized(x).sized(y).toBinary();
    }
}
