package dev.holdfast.link;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Verdict;

/** A verifier's fresh nonce of 8 to 64 bytes. */
public record Challenge(Binary nonce) {
    public static final int MAX_BYTES = 256;

    public byte[] encode() {
        return CborWriter.write(Cbor.dict().put("nonce", Cbor.of(nonce)).build());
    }

    public static Verdict<Challenge> decode(byte[] payload) {
        return Verdict.of(() -> {
            Cbor.Fields fields =
                    Cbor.Fields.of(CborReader.read(payload, MAX_BYTES).orThrow());
            return new Challenge(fields.bytes("nonce", 8, 64));
        });
    }
}
