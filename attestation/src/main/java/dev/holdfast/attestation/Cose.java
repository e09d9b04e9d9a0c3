package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.List;

/** COSE_Sign1 (RFC 9052, 4.2) with ES256, tagged, both header parameters protected. Stateless. */
final class Cose {
    private static final int TAG_SIGN1 = 18;
    private static final long HEADER_ALGORITHM = 1;
    private static final long HEADER_KEY_ID = 4;
    private static final long ES256 = -7;
    private static final int SIGNATURE_BYTES = 64;
    private static final int MAX_HEADER_BYTES = 128;

    /** A message taken apart; its signature is not checked yet. */
    record Sign1(Binary protectedHeader, Binary keyId, Binary payload, Binary signature) {
        /** The hash that is signed: SHA-256 of the Sig_structure (RFC 9052, 4.4). */
        Sha256 toBeSigned() {
            return Cose.toBeSigned(protectedHeader, payload);
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
        return Sha256.of(CborWriter.write(Cbor.array(
                Cbor.of("Signature1"), Cbor.of(protectedHeader), Cbor.of(Binary.empty()), Cbor.of(payload))));
    }

    static byte[] encode(Binary protectedHeader, Binary payload, byte[] signature) {
        return CborWriter.write(new Cbor.Tag(
                TAG_SIGN1,
                Cbor.array(Cbor.of(protectedHeader), Cbor.dict().build(), Cbor.of(payload), Cbor.of(signature))));
    }

    /** Takes a message apart: tagged, nothing unprotected, ES256, nothing after it. */
    static Verdict<Sign1> decode(byte[] message, int maxBytes) {
        return Verdict.of(() -> {
            if (CborReader.read(message, maxBytes).orThrow() instanceof Cbor.Tag(long tag, Cbor.Array(List<Cbor> items))
                    && tag == TAG_SIGN1
                    && items.size() == 4
                    && items.get(0) instanceof Cbor.Bytes(Binary header)
                    && items.get(1) instanceof Cbor.Dict unprotected
                    && unprotected.entries().isEmpty()
                    && items.get(2) instanceof Cbor.Bytes(Binary payload)
                    && items.get(3) instanceof Cbor.Bytes(Binary signature)
                    && signature.length() == SIGNATURE_BYTES) {
                return new Sign1(header, keyId(header), payload, signature);
            }
            throw new RejectedException(Code.ATT_FORMAT, "not a tagged COSE_Sign1 with protected headers only");
        });
    }

    private static Binary keyId(Binary header) throws RejectedException {
        if (CborReader.read(header.toArray(), MAX_HEADER_BYTES).orThrow() instanceof Cbor.Dict parameters
                && parameters.entries().size() == 2
                && parameters.get(HEADER_ALGORITHM).orElse(new Cbor.Null()).equals(Cbor.of(ES256))
                && parameters.get(HEADER_KEY_ID).orElse(new Cbor.Null()) instanceof Cbor.Bytes(Binary id)) {
            return id;
        }
        throw new RejectedException(Code.ATT_FORMAT, "the protected header must be {alg: ES256, kid}");
    }
}
