package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.interfaces.ECPublicKey;
import java.util.List;
import java.util.function.Function;

/**
 * COSE_Sign1 (RFC 9052, 4.2) with ES256. {@link #decode} reads any such message; {@link #profile} is what evidence must
 * be: both header parameters protected, nothing besides. Stateless.
 */
public final class Cose {
    private static final int TAG_SIGN1 = 18;
    private static final long HEADER_ALGORITHM = 1;
    private static final long HEADER_CRITICAL = 2;
    private static final long HEADER_KEY_ID = 4;
    private static final long ES256 = -7;
    private static final int SIGNATURE_BYTES = 64;
    private static final int MAX_HEADER_BYTES = 128;
    private static final Cbor.Dict NO_PARAMETERS = Cbor.dict().build();

    /** A message taken apart; its signature is not checked yet. */
    public record Sign1(
            Binary protectedHeader,
            Cbor.Dict protectedParameters,
            Cbor.Dict unprotected,
            Binary payload,
            Binary signature) {
        /** Whether the signature is by {@code key}, which is enrolled, with ES256, whichever header names the algorithm. */
        public boolean verifies(ECPublicKey key, Binary externalAad) {
            Cbor algorithm = protectedParameters
                    .get(HEADER_ALGORITHM)
                    .or(() -> unprotected.get(HEADER_ALGORITHM))
                    .orElse(new Cbor.Null());
            return algorithm.equals(Cbor.of(ES256))
                    && protectedParameters.get(HEADER_CRITICAL).isEmpty()
                    && Es256.verifyByEnrolled(
                            key, toBeSigned(protectedHeader, externalAad, payload), signature.toArray());
        }
    }

    private Cose() {}

    static Binary protectedHeader(Sha256 keyId) {
        return Binary.copyOf(CborWriter.write(Cbor.dict()
                .put(HEADER_ALGORITHM, Cbor.of(ES256))
                .put(HEADER_KEY_ID, Cbor.of(keyId.value()))
                .build()));
    }

    static Sha256 toBeSigned(Binary protectedHeader, Binary payload) {
        return toBeSigned(protectedHeader, Binary.empty(), payload);
    }

    /** The hash that is signed: SHA-256 of the Sig_structure (RFC 9052, 4.4). */
    private static Sha256 toBeSigned(Binary protectedHeader, Binary externalAad, Binary payload) {
        return Sha256.of(CborWriter.write(
                Cbor.array(Cbor.of("Signature1"), Cbor.of(protectedHeader), Cbor.of(externalAad), Cbor.of(payload))));
    }

    /**
     * A tagged message, both header parameters protected.
     *
     * @param keyId the thumbprint (RFC 9679) of the signer's key
     * @param signer makes an ES256 signature, r || s, over a hash
     */
    public static byte[] sign(Sha256 keyId, Binary payload, Function<Sha256, byte[]> signer) {
        Binary header = protectedHeader(keyId);
        return encode(header, payload, signer.apply(toBeSigned(header, payload)));
    }

    static byte[] encode(Binary protectedHeader, Binary payload, byte[] signature) {
        return CborWriter.write(new Cbor.Tag(
                TAG_SIGN1, Cbor.array(Cbor.of(protectedHeader), NO_PARAMETERS, Cbor.of(payload), Cbor.of(signature))));
    }

    /** Takes a tagged message apart; nothing may follow it. */
    public static Verdict<Sign1> decode(byte[] message, int maxBytes) {
        return Verdict.of(() -> {
            if (CborReader.read(message, maxBytes).orThrow() instanceof Cbor.Tag(long tag, Cbor content)
                    && tag == TAG_SIGN1) {
                return sign1(content);
            }
            throw malformed("not a tagged COSE_Sign1");
        });
    }

    /** The same for a message whose context says what it is, so that it goes without a tag (RFC 9052, 2). */
    static Verdict<Sign1> decodeUntagged(byte[] message, int maxBytes) {
        return Verdict.of(() -> sign1(CborReader.read(message, maxBytes).orThrow()));
    }

    private static Sign1 sign1(Cbor content) throws RejectedException {
        if (content instanceof Cbor.Array(List<Cbor> items)
                && items.size() == 4
                && items.get(0) instanceof Cbor.Bytes(Binary header)
                && items.get(1) instanceof Cbor.Dict unprotected
                && items.get(2) instanceof Cbor.Bytes(Binary payload)
                && items.get(3) instanceof Cbor.Bytes(Binary signature)
                && signature.length() == SIGNATURE_BYTES) {
            Cbor.Dict parameters = header.length() == 0
                    ? NO_PARAMETERS
                    : Claim.dict(
                            CborReader.read(header.toArray(), MAX_HEADER_BYTES).orThrow());
            if (parameters.entries().keySet().stream()
                    .anyMatch(key -> unprotected.entries().containsKey(key))) {
                throw malformed("a header parameter is in both headers");
            }
            // An empty map counts as an empty string when it is signed (RFC 9052, 3).
            Binary signed = parameters.entries().isEmpty() ? Binary.empty() : header;
            return new Sign1(signed, parameters, unprotected, payload, signature);
        }
        throw malformed("not a COSE_Sign1 with an ES256 signature");
    }

    /** The key id, when the message is what evidence must be: exactly {alg: ES256, kid}, both protected. */
    public static Binary profile(Sign1 message) throws RejectedException {
        Cbor.Dict parameters = message.protectedParameters();
        if (message.unprotected().entries().isEmpty()
                && parameters.entries().size() == 2
                && parameters.get(HEADER_ALGORITHM).orElse(new Cbor.Null()).equals(Cbor.of(ES256))
                && parameters.get(HEADER_KEY_ID).orElse(new Cbor.Null()) instanceof Cbor.Bytes(Binary id)) {
            return id;
        }
        throw malformed("the protected header must be {alg: ES256, kid}, the other one empty");
    }

    private static RejectedException malformed(String detail) {
        return new RejectedException(Code.ATT_FORMAT, detail);
    }
}
