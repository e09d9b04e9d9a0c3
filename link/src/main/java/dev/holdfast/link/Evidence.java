package dev.holdfast.link;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;

/**
 * A device's answer to a {@link Challenge}, or a part of one that is too long for a packet of the narrowest broker. A whole answer
 * is {@code {nonce, token}}, a part {@code {nonce, total, offset, data}}; {@link EvidenceAssembly} joins them again.
 *
 * @param nonce that of the challenge, for correlation
 * @param total bytes of the whole signed evidence
 * @param offset where {@code data} is in it
 * @param data at least one byte
 */
public record Evidence(Binary nonce, int total, int offset, Binary data) {
    /** Of a message. */
    public static final int MAX_BYTES = 128 * 1024;
    /** With all that is around it, a part stays below the 64 KiB that the narrowest broker takes (Azure Event Grid). */
    public static final int MAX_PART_BYTES = 60 * 1024;
    /** What evidence has at most ({@code Attester.MAX_EVIDENCE_BYTES}). */
    public static final int MAX_TOTAL_BYTES = 2 * 1024 * 1024;

    /** The messages that carry {@code token}, to be sent in this order. */
    public static List<Evidence> parts(Binary nonce, Binary token) {
        return parts(nonce, token, MAX_PART_BYTES);
    }

    /** The same with parts of at most {@code most} bytes, where the broker takes shorter packets yet. */
    public static List<Evidence> parts(Binary nonce, Binary token, int most) {
        int partBytes = Math.clamp(most, 1, MAX_PART_BYTES);
        List<Evidence> parts = new ArrayList<>();
        byte[] bytes = token.toArray();
        for (int offset = 0; offset < bytes.length; offset += partBytes) {
            int length = Math.min(partBytes, bytes.length - offset);
            parts.add(new Evidence(nonce, bytes.length, offset, Binary.copyOf(bytes, offset, length)));
        }
        return parts;
    }

    /** Whether it is the only part. */
    boolean isWhole() {
        return data.length() == total;
    }

    public byte[] encode() {
        Cbor.DictBuilder dict = Cbor.dict().put("nonce", Cbor.of(nonce));
        if (isWhole()) {
            dict.put("token", Cbor.of(data));
        } else {
            dict.put("total", Cbor.of(total)).put("offset", Cbor.of(offset)).put("data", Cbor.of(data));
        }
        return CborWriter.write(dict.build());
    }

    /** Reads a message of an untrusted device. Never throws. */
    public static Verdict<Evidence> decode(byte[] payload) {
        return Verdict.of(() -> {
            Cbor.Fields fields =
                    Cbor.Fields.of(CborReader.read(payload, MAX_BYTES).orThrow());
            Binary nonce = fields.bytes("nonce", 8, 64);
            if (fields.has("token")) {
                Binary token = fields.bytes("token", 1, MAX_BYTES);
                return new Evidence(nonce, token.length(), 0, token);
            }
            int total = (int) fields.integer("total", 1, MAX_TOTAL_BYTES);
            int offset = (int) fields.integer("offset", 0, total - 1L);
            Binary data = fields.bytes("data", 1, MAX_BYTES);
            if (data.length() > total - offset) {
                throw new RejectedException(Code.WIRE_FIELD, "data goes beyond the total");
            }
            return new Evidence(nonce, total, offset, data);
        });
    }
}
