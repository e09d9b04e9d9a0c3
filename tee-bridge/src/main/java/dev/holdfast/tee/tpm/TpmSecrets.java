package dev.holdfast.tee.tpm;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.Sealer;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.tpm.TpmKeys.Role;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.Set;

/**
 * The operations with a secret in a command or response. Each runs in a session of its own that is salted to the
 * endorsement key, with the secret's parameter encrypted. Only on the {@code tee} thread.
 */
final class TpmSecrets {
    private static final int MAX_SEALED_BYTES = 1024;

    private final TpmEngine engine;
    private final TpmKeys keys;
    /** That of keys which provisioning stored. */
    private final AuthValue authorization;

    TpmSecrets(TpmEngine engine, TpmKeys keys, AuthValue authorization) {
        this.engine = engine;
        this.keys = keys;
        this.authorization = authorization;
    }

    @FunctionalInterface
    interface InSession<T> {
        T with(TpmSession session) throws TeeException, RejectedException;
    }

    /** TPM2_ActivateCredential (12.5); the EK's policy is PolicySecret of the endorsement hierarchy. */
    Binary activate(Binary credential, Binary secret) throws TeeException, RejectedException {
        return inSession(
                TpmSession.POLICY,
                session -> keys.use(
                        Role.ATTESTATION,
                        ak -> keys.use(keys.endorsement(), ek -> {
                            engine.run(new TpmCommand(Tpm.CC_POLICY_SECRET)
                                    .authorized(Tpm.RH_ENDORSEMENT)
                                    .handle(session.handle())
                                    .with(w -> w.u16(0).u16(0).u16(0).u32(0)));
                            return engine.run(new TpmCommand(Tpm.CC_ACTIVATE_CREDENTIAL)
                                            .authorized(ak, name(Role.ATTESTATION))
                                            .authorized(ek, name(keys.endorsement()), session, TpmSession.ENCRYPT)
                                            .with(w -> w.sized(credential).sized(secret)))
                                    .sized(64);
                        })));
    }

    /** TPM2_Create (12.1) of a data object that only a policy session opens. */
    byte[] seal(byte[] secret, SealPolicy policy) throws TeeException, RejectedException {
        byte[] sensitive = new TpmWriter().u16(0).sized(secret).toArray();
        byte[] publicArea = new TpmWriter()
                .u16(Tpm.ALG_KEYEDHASH)
                .u16(Tpm.ALG_SHA256)
                .u32(Tpm.FIXED_TPM | Tpm.FIXED_PARENT | Tpm.NO_DA)
                .sized(policy.digest().toArray())
                .u16(Tpm.ALG_NULL)
                .u16(0)
                .toArray();
        AuthValue parentAuth = authorizationOf(Role.STORAGE);
        TpmReader reply = inSession(
                TpmSession.HMAC,
                session -> keys.use(
                        Role.STORAGE,
                        parent -> engine.run(new TpmCommand(Tpm.CC_CREATE)
                                .authorized(parent, name(Role.STORAGE), session, TpmSession.DECRYPT, parentAuth)
                                .with(w -> w.sized(sensitive)
                                        .sized(publicArea)
                                        .u16(0)
                                        .u32(0)))));
        return new TpmWriter()
                .sized(reply.sized(TpmConnection.MAX_BYTES))
                .sized(reply.sized(TpmConnection.MAX_BYTES))
                .toArray();
    }

    /** TPM2_Load (12.2) and TPM2_Unseal (12.7). */
    byte[] unseal(byte[] sealed, Unlock unlock) throws TeeException, RejectedException {
        Binary objectName = objectName(sealed);
        return inSession(TpmSession.POLICY, session -> {
            satisfy(session, unlock);
            TpmEngine.Reply loaded =
                    with(Role.STORAGE, Tpm.CC_LOAD, command -> engine.load(command.with(w -> w.bytes(sealed))));
            return keys.flushing(
                    loaded.handle(),
                    object -> engine.run(new TpmCommand(Tpm.CC_UNSEAL)
                                    .authorized(object, objectName, session, TpmSession.ENCRYPT))
                            .sized(Sealer.MAX_SECRET_BYTES)
                            .toArray());
        });
    }

    private void satisfy(TpmSession session, Unlock unlock) throws TeeException, RejectedException {
        switch (unlock) {
            case Unlock.ThisDevice() ->
                engine.run(new TpmCommand(Tpm.CC_POLICY_COMMAND_CODE)
                        .handle(session.handle())
                        .with(w -> w.u32(Tpm.CC_UNSEAL)));
            case Unlock.Registers(Set<Integer> pcrs) -> policyPcr(session, pcrs);
            case Unlock.Approved approval -> {
                policyPcr(session, approval.pcrs());
                policyAuthorize(session, approval);
            }
        }
    }

    /** TPM2_PolicyPCR (23.7) over the values that the TPM has: an empty digest leaves the comparison to the object. */
    void policyPcr(TpmSession session, Set<Integer> pcrs) throws TeeException, RejectedException {
        engine.run(new TpmCommand(Tpm.CC_POLICY_PCR)
                .handle(session.handle())
                .with(w -> TpmAttest.select(w.u16(0).u32(1), TpmAttest.Selection.sha256(pcrs))));
    }

    /** TPM2_PolicyGetDigest (23.6), TPM2_VerifySignature (20.1) and TPM2_PolicyAuthorize (23.16) with its ticket. */
    private void policyAuthorize(TpmSession session, Unlock.Approved approval) throws TeeException, RejectedException {
        Binary purpose = approval.policy().purpose();
        Binary anchor = TpmPublic.verifier(approval.policy().anchor());
        Binary state = engine.run(new TpmCommand(Tpm.CC_POLICY_GET_DIGEST).handle(session.handle()))
                .sized(Sha256.BYTES);
        byte[] signed = Sha256.of(state.toArray(), purpose.toArray()).toArray();
        // A key under the NULL hierarchy gets an empty ticket, which PolicyAuthorize does not take.
        TpmEngine.Reply loaded = engine.load(new TpmCommand(Tpm.CC_LOAD_EXTERNAL)
                .with(w -> w.u16(0).sized(anchor).u32(Tpm.RH_OWNER)));
        Binary ticket = keys.flushing(loaded.handle(), handle -> {
            TpmReader reply = engine.run(new TpmCommand(Tpm.CC_VERIFY_SIGNATURE)
                    .handle(handle)
                    .with(w -> w.sized(signed)
                            .bytes(TpmSignature.fromP1363(approval.signature().toArray()))));
            return reply.bytes(reply.remaining());
        });
        engine.run(new TpmCommand(Tpm.CC_POLICY_AUTHORIZE)
                .handle(session.handle())
                .with(w -> w.sized(state)
                        .sized(purpose)
                        .sized(TpmPublic.name(anchor))
                        .bytes(ticket)));
    }

    /** Completes and sends a command that a key authorizes. */
    @FunctionalInterface
    interface Sent<T> {
        T of(TpmCommand command) throws TeeException, RejectedException;
    }

    /** Begins a command whose first handle is the key: by its empty password, or in a session where it has an authorization value. */
    <T> T with(Role role, long command, Sent<T> send) throws TeeException, RejectedException {
        AuthValue value = authorizationOf(role);
        if (!keys.isStored(role)) {
            return keys.use(role, key -> send.of(new TpmCommand(command).authorized(key, name(role))));
        }
        return inSession(
                TpmSession.HMAC,
                session -> keys.use(
                        role, key -> send.of(new TpmCommand(command).authorized(key, name(role), session, 0, value))));
    }

    /** TPM2_Sign (20.2); the key is unrestricted, so no ticket is needed. */
    TpmReader sign(Sha256 digest) throws TeeException, RejectedException {
        return with(
                Role.SIGNER,
                Tpm.CC_SIGN,
                command -> engine.run(command.with(w -> w.sized(digest.toArray())
                        .u16(Tpm.ALG_NULL)
                        .u16(Tpm.ST_HASHCHECK)
                        .u32(Tpm.RH_NULL)
                        .u16(0))));
    }

    /** Whether a key that is stored has the authorization value that this bridge has: each proves it by what it is for. */
    boolean opens(Role role) throws TeeException, RejectedException {
        try {
            if (role == Role.SIGNER) {
                sign(Sha256.of(new byte[0]));
            } else {
                seal(new byte[1], new SealPolicy.ThisDevice());
            }
            return true;
        } catch (TeeException e) {
            if (e.code() == Code.TEE_REFUSED) {
                return false;
            }
            throw e;
        }
    }

    private AuthValue authorizationOf(Role role) throws TeeException, RejectedException {
        return keys.isStored(role) ? authorization : AuthValue.EMPTY;
    }

    Binary name(Role role) throws TeeException, RejectedException {
        return keys.publicArea(role).name();
    }

    /** Runs {@code use} in a fresh session that is salted to the endorsement key. */
    <T> T inSession(int type, InSession<T> use) throws TeeException, RejectedException {
        TpmSession session = keys.use(
                keys.endorsement(), ek -> TpmSession.start(engine, type, ek, keys.publicArea(keys.endorsement())));
        return keys.flushing(session.handle(), handle -> use.with(session));
    }

    /** The name of the object in TPM2B_PRIVATE || TPM2B_PUBLIC. */
    private static Binary objectName(byte[] sealed) throws TeeException {
        try {
            if (sealed.length <= MAX_SEALED_BYTES) {
                TpmReader reader = new TpmReader(sealed);
                reader.sized(MAX_SEALED_BYTES);
                Binary publicArea = reader.sized(MAX_SEALED_BYTES);
                reader.end();
                return TpmPublic.name(publicArea);
            }
        } catch (RejectedException e) {
            throw new TeeException(Code.TEE_REFUSED, "not sealed by this device", e);
        }
        throw new TeeException(Code.TEE_REFUSED, "not sealed by this device");
    }
}
