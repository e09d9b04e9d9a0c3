package dev.holdfast.link;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * A verifier's fresh nonce. Anybody may ask a device to prove itself; whom the fleet's Director key signed for is not held up by
 * those who ask without end.
 *
 * @param nonce 8 to 64 bytes
 * @param seal the Director's word, where there is one
 */
public record Challenge(Binary nonce, Optional<Seal> seal) {
    public static final int MAX_BYTES = 256;
    private static final String LABEL = "holdfast-challenge-1";

    /**
     * A signature over {@link #toBeSigned}.
     *
     * @param issuedSeconds when it was made, seconds since 1970
     * @param signature Ed25519, 64 bytes
     */
    public record Seal(long issuedSeconds, Binary signature) {
        public static final int BYTES = 64;
    }

    /** One that anybody could make. */
    public Challenge(Binary nonce) {
        this(nonce, Optional.empty());
    }

    /** What a seal signs: label, the device's challenge topic, the nonce in hexadecimal, and the time, each a line. */
    public static byte[] toBeSigned(Topics device, Binary nonce, long issuedSeconds) {
        return (LABEL + "\n" + device.challenge() + "\n" + nonce.hex() + "\n" + issuedSeconds + "\n")
                .getBytes(StandardCharsets.US_ASCII);
    }

    public byte[] encode() {
        Cbor.DictBuilder dict = Cbor.dict().put("nonce", Cbor.of(nonce));
        seal.ifPresent(
                with -> dict.put("issued", Cbor.of(with.issuedSeconds)).put("signature", Cbor.of(with.signature)));
        return CborWriter.write(dict.build());
    }

    /** Reads a message of anybody. Never throws. */
    public static Verdict<Challenge> decode(byte[] payload) {
        return Verdict.of(() -> {
            Cbor.Fields fields =
                    Cbor.Fields.of(CborReader.read(payload, MAX_BYTES).orThrow());
            Binary nonce = fields.bytes("nonce", 8, 64);
            return new Challenge(
                    nonce,
                    fields.has("signature")
                            ? Optional.of(new Seal(
                                    fields.integer("issued", 0, Long.MAX_VALUE),
                                    fields.bytes("signature", Seal.BYTES, Seal.BYTES)))
                            : Optional.empty());
        });
    }
}
