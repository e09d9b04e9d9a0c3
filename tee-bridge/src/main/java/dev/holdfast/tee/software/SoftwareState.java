package dev.holdfast.tee.software;

import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.interfaces.ECPublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Optional;

/**
 * Everything that the software bridge remembers, as one record, so that one rename replaces it as a whole.
 *
 * @param generation the counter, for the signed record on the disk
 * @param bootId the kernel's boot id to which {@code register} belongs
 * @param bootCount how many boots the bridge has seen
 */
public record SoftwareState(
        KeyPair signer,
        KeyPair attestation,
        long generation,
        Optional<Sha256> anchor,
        String bootId,
        long bootCount,
        Sha256 register) {
    static final int MAX_BYTES = 4096;
    public static final Sha256 ZERO = new Sha256(Binary.copyOf(new byte[Sha256.BYTES]));

    static SoftwareState fresh(String bootId) {
        return new SoftwareState(P256.generate(), P256.generate(), 0, Optional.empty(), bootId, 1, ZERO);
    }

    /** After a boot the register is zero, as a TPM's would be. */
    SoftwareState booted(String now) {
        return now.equals(bootId)
                ? this
                : new SoftwareState(signer, attestation, generation, anchor, now, bootCount + 1, ZERO);
    }

    SoftwareState withGeneration(long value) {
        return new SoftwareState(signer, attestation, value, anchor, bootId, bootCount, register);
    }

    SoftwareState withAnchor(Sha256 value) {
        return new SoftwareState(signer, attestation, generation, Optional.of(value), bootId, bootCount, register);
    }

    SoftwareState withRegister(Sha256 value) {
        return new SoftwareState(signer, attestation, generation, anchor, bootId, bootCount, value);
    }

    byte[] encode() {
        return CborWriter.write(Cbor.dict()
                .put("signer", Cbor.of(signer.getPrivate().getEncoded()))
                .put("signerPublic", Cbor.of(P256.encode((ECPublicKey) signer.getPublic())))
                .put("attestation", Cbor.of(attestation.getPrivate().getEncoded()))
                .put("attestationPublic", Cbor.of(P256.encode((ECPublicKey) attestation.getPublic())))
                .put("generation", Cbor.of(generation))
                .put("anchor", Cbor.of(anchor.map(Sha256::value).orElse(Binary.empty())))
                .put("bootId", Cbor.of(bootId))
                .put("bootCount", Cbor.of(bootCount))
                .put("register", Cbor.of(register.value()))
                .build());
    }

    static Verdict<SoftwareState> decode(byte[] bytes) {
        return Verdict.of(() -> {
            Cbor.Fields fields =
                    Cbor.Fields.of(CborReader.read(bytes, MAX_BYTES).orThrow());
            Binary anchor = fields.bytes("anchor", 0, Sha256.BYTES);
            return new SoftwareState(
                    pair(fields, "signer"),
                    pair(fields, "attestation"),
                    fields.integer("generation", 0, Long.MAX_VALUE),
                    anchor.length() == 0 ? Optional.empty() : Optional.of(fields.sha256("anchor")),
                    fields.text("bootId", 64),
                    fields.integer("bootCount", 1, Integer.MAX_VALUE),
                    fields.sha256("register"));
        });
    }

    private static KeyPair pair(Cbor.Fields fields, String name) throws RejectedException {
        ECPublicKey publicKey =
                P256.publicKey(fields.bytes(name + "Public", 64, 64)).orThrow();
        try {
            return new KeyPair(
                    publicKey,
                    KeyFactory.getInstance("EC")
                            .generatePrivate(new PKCS8EncodedKeySpec(
                                    fields.bytes(name, 1, 512).toArray())));
        } catch (GeneralSecurityException e) {
            throw new RejectedException(dev.holdfast.wire.Code.TEE_STATE, name + " is no key");
        }
    }
}
