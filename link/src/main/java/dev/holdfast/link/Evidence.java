package dev.holdfast.link;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Verdict;

/** A device's answer to a {@link Challenge}: the nonce for correlation and the signed evidence. */
public record Evidence(Binary nonce, Binary token) {
    public static final int MAX_BYTES = 128 * 1024;

    public byte[] encode() {
        return CborWriter.write(Cbor.dict()
                .put("nonce", Cbor.of(nonce))
                .put("token", Cbor.of(token))
                .build());
    }

    public static Verdict<Evidence> decode(byte[] payload) {
        return Verdict.of(() -> {
            Cbor.Fields fields =
                    Cbor.Fields.of(CborReader.read(payload, MAX_BYTES).orThrow());
            return new Evidence(fields.bytes("nonce", 8, 64), fields.bytes("token", 0, MAX_BYTES));
        });
    }
}
