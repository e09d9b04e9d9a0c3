package dev.holdfast.attestation;

import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;

/** The three messages of an enrolment, deterministic CBOR. */
public sealed interface EnrolmentMessage {
    int MAX_BYTES = 16 * 1024;
    int NONCE_BYTES = 32;
    int MAX_DEVICE_CHARS = 128;
    int MAX_KEY_BYTES = 256;
    /** RSA with 4096 bits. */
    int MAX_ENDORSEMENT_BYTES = 640;

    /**
     * The device introduces itself.
     *
     * @param signer TPMT_PUBLIC, or x || y of a software bridge; so is {@code attestation}
     * @param endorsement TPMT_PUBLIC, or empty for a software bridge; so are the fields after it
     */
    record Request(
            String device,
            Assurance declared,
            Binary nonce,
            Binary signer,
            Binary attestation,
            Binary endorsement,
            Binary endorsementCertificate,
            Binary certifyAttest,
            Binary certifySignature)
            implements EnrolmentMessage {
        public boolean isTpm() {
            return declared != Assurance.SOFTWARE;
        }

        byte[] encode() {
            return CborWriter.write(Cbor.dict()
                    .put("format", Cbor.of(1))
                    .put("device", Cbor.of(device))
                    .put("declared", Cbor.of(declared.name()))
                    .put("nonce", Cbor.of(nonce))
                    .put("signer", Cbor.of(signer))
                    .put("attestation", Cbor.of(attestation))
                    .put("endorsement", Cbor.of(endorsement))
                    .put("endorsementCertificate", Cbor.of(endorsementCertificate))
                    .put("certifyAttest", Cbor.of(certifyAttest))
                    .put("certifySignature", Cbor.of(certifySignature))
                    .build());
        }

        public static Request parse(byte[] bytes) throws RejectedException {
            Cbor.Fields fields = fields(bytes);
            String declared = fields.text("declared", 32);
            return new Request(
                    device(fields.text("device", MAX_DEVICE_CHARS)),
                    Arrays.stream(Assurance.values())
                            .filter(a -> a.name().equals(declared))
                            .findFirst()
                            .orElseThrow(() -> refused("assurance " + declared)),
                    fields.bytes("nonce", NONCE_BYTES, NONCE_BYTES),
                    fields.bytes("signer", 1, MAX_KEY_BYTES),
                    fields.bytes("attestation", 1, MAX_KEY_BYTES),
                    fields.bytes("endorsement", 0, MAX_ENDORSEMENT_BYTES),
                    fields.bytes("endorsementCertificate", 0, 8192),
                    fields.bytes("certifyAttest", 0, 512),
                    fields.bytes("certifySignature", 0, 256));
        }

        /** What the certificate of the signer carries, so that it belongs to this request alone. */
        public static Binary certifyQualifyingData(String device, Binary nonce) {
            return Sha256.of(
                            "holdfast-enrol-certify-1".getBytes(StandardCharsets.US_ASCII),
                            nonce.toArray(),
                            device.getBytes(StandardCharsets.UTF_8))
                    .value();
        }

        private static String device(String id) throws RejectedException {
            if (!id.matches("[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")) {
                throw refused("the device's id has letters, digits and . _ : - only");
            }
            return id;
        }
    }

    /** The fleet's question; blob and secret are empty for a software bridge. */
    record Challenge(Binary nonce, Binary blob, Binary encryptedSecret) implements EnrolmentMessage {
        public byte[] encode() {
            return CborWriter.write(Cbor.dict()
                    .put("format", Cbor.of(1))
                    .put("nonce", Cbor.of(nonce))
                    .put("credential", Cbor.of(blob))
                    .put("encryptedSecret", Cbor.of(encryptedSecret))
                    .build());
        }

        static Challenge parse(byte[] bytes) throws RejectedException {
            Cbor.Fields fields = fields(bytes);
            return new Challenge(
                    fields.bytes("nonce", NONCE_BYTES, NONCE_BYTES),
                    fields.bytes("credential", 0, 512),
                    fields.bytes("encryptedSecret", 0, 512));
        }
    }

    /**
     * That the device holds an enrolment token. The token itself is never sent, so whoever listens learns nothing that is good for another
     * request or another challenge.
     *
     * @param token the token's id
     * @param mac {@link EnrolmentToken#mac} over the {@link #transcript}
     */
    record TokenClaim(String token, Binary mac) {}

    /**
     * The answer.
     *
     * @param proof HMAC-SHA256 under the activated secret, or the signer's signature for a software bridge
     * @param token of a device that has one
     */
    record Proof(Binary proof, Optional<TokenClaim> token) implements EnrolmentMessage {
        Proof(Binary proof) {
            this(proof, Optional.empty());
        }

        byte[] encode() {
            Cbor.DictBuilder dict = Cbor.dict().put("format", Cbor.of(1)).put("proof", Cbor.of(proof));
            token.ifPresent(claim -> dict.put("token", Cbor.of(claim.token())).put("tokenMac", Cbor.of(claim.mac())));
            return CborWriter.write(dict.build());
        }

        public static Proof parse(byte[] bytes) throws RejectedException {
            Cbor.Fields fields = fields(bytes);
            Optional<TokenClaim> claim = fields.has("token")
                    ? Optional.of(new TokenClaim(
                            EnrolmentToken.requireId(fields.text("token", EnrolmentToken.ID_CHARS)),
                            fields.bytes("tokenMac", Sha256.BYTES, Sha256.BYTES)))
                    : Optional.empty();
            return new Proof(fields.bytes("proof", 32, 64), claim);
        }
    }

    /** The end: certificates in DER by the fleet's authority; empty where it issues none. */
    record Welcome(Binary attestation, Binary tls, Binary authority) implements EnrolmentMessage {
        public byte[] encode() {
            return CborWriter.write(Cbor.dict()
                    .put("format", Cbor.of(1))
                    .put("attestation", Cbor.of(attestation))
                    .put("tls", Cbor.of(tls))
                    .put("authority", Cbor.of(authority))
                    .build());
        }

        static Welcome parse(byte[] bytes) throws RejectedException {
            Cbor.Fields fields = fields(bytes);
            return new Welcome(
                    fields.bytes("attestation", 0, 4096),
                    fields.bytes("tls", 0, 4096),
                    fields.bytes("authority", 0, 4096));
        }
    }

    /** What the proof is over: both messages, as they were sent. */
    static Sha256 transcript(byte[] request, byte[] challenge) {
        return Sha256.of(
                "holdfast-enrol-proof-1".getBytes(StandardCharsets.US_ASCII),
                Sha256.of(request).toArray(),
                Sha256.of(challenge).toArray());
    }

    static RejectedException refused(String detail) {
        return new RejectedException(Code.ATT_ENROL, detail);
    }

    private static Cbor.Fields fields(byte[] bytes) throws RejectedException {
        Cbor.Fields fields = Cbor.Fields.of(CborReader.read(bytes, MAX_BYTES).orThrow());
        fields.integer("format", 1, 1);
        return fields;
    }
}
