package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The firmware's log in the crypto-agile form of the TCG PC Client Platform Firmware Profile, 10.2: little-endian, one
 * event in the old SHA-1 form whose data lists the digests' lengths, then
 *
 * <pre>
 * u32 PCR | u32 type | u32 number of digests | { u16 algorithm | digest }... | u32 length | event data
 * </pre>
 *
 * Only the replay matters here: which values of the SHA-256 bank the log leads to. What an event's data claims is for a
 * policy over register values to judge. Stateless.
 */
public final class BootLog {
    private static final int SHA1_BYTES = 20;
    private static final int ALG_SHA256 = 0x000b;
    private static final int EV_NO_ACTION = 3;
    private static final int MAX_ALGORITHMS = 8;
    private static final int MAX_DIGEST_BYTES = 64;
    private static final int MAX_PCR = 23;
    private static final byte[] SPEC_ID = "Spec ID Event03\0".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] LOCALITY = "StartupLocality\0".getBytes(StandardCharsets.US_ASCII);

    private BootLog() {}

    /** The value of each register that the log extends. */
    public static Verdict<SortedMap<Integer, Sha256>> replay(Binary log) {
        return Verdict.of(() -> {
            ByteBuffer bytes = ByteBuffer.wrap(log.toArray()).order(ByteOrder.LITTLE_ENDIAN);
            try {
                return replay(bytes);
            } catch (BufferUnderflowException e) {
                throw malformed("ends within an event", bytes);
            }
        });
    }

    private static SortedMap<Integer, Sha256> replay(ByteBuffer bytes) throws RejectedException {
        Map<Integer, Integer> digestBytes = header(bytes);
        SortedMap<Integer, Sha256> registers = new TreeMap<>();
        while (bytes.hasRemaining()) {
            int pcr = bytes.getInt();
            int type = bytes.getInt();
            byte[] sha256 = digests(bytes, digestBytes);
            byte[] data = take(bytes, bytes.getInt());
            if (pcr < 0 || pcr > MAX_PCR) {
                throw malformed("PCR " + Integer.toUnsignedString(pcr), bytes);
            }
            if (type == EV_NO_ACTION) {
                locality(pcr, data, registers);
            } else {
                Sha256 before = registers.getOrDefault(pcr, Event.ZERO);
                registers.put(pcr, Sha256.of(before.toArray(), sha256));
            }
        }
        return registers;
    }

    /** A TPM that was started from another locality has that number in PCR 0 (TCG EFI Protocol, 10.4.5.3). */
    private static void locality(int pcr, byte[] data, SortedMap<Integer, Sha256> registers) {
        if (pcr == 0 && data.length == LOCALITY.length + 1 && startsWith(data, LOCALITY) && !registers.containsKey(0)) {
            byte[] start = new byte[Sha256.BYTES];
            start[Sha256.BYTES - 1] = data[LOCALITY.length];
            registers.put(0, new Sha256(Binary.copyOf(start)));
        }
    }

    /** TCG_EfiSpecIDEvent: algorithm to length of digest. */
    private static Map<Integer, Integer> header(ByteBuffer bytes) throws RejectedException {
        int pcr = bytes.getInt();
        int type = bytes.getInt();
        take(bytes, SHA1_BYTES);
        ByteBuffer spec = ByteBuffer.wrap(take(bytes, bytes.getInt())).order(ByteOrder.LITTLE_ENDIAN);
        if (pcr != 0 || type != EV_NO_ACTION || !startsWith(spec.array(), SPEC_ID)) {
            throw malformed("no crypto-agile log", bytes);
        }
        take(spec, SPEC_ID.length + 8); // platform class, versions, errata, size of a UINTN
        int count = spec.getInt();
        if (count < 1 || count > MAX_ALGORITHMS) {
            throw malformed(count + " algorithms", bytes);
        }
        Map<Integer, Integer> lengths = new HashMap<>();
        for (int i = 0; i < count; i++) {
            int algorithm = Short.toUnsignedInt(spec.getShort());
            int length = Short.toUnsignedInt(spec.getShort());
            if (length < 1 || length > MAX_DIGEST_BYTES || algorithm == ALG_SHA256 && length != Sha256.BYTES) {
                throw malformed("a digest of " + length + " bytes", bytes);
            }
            lengths.put(algorithm, length);
        }
        return lengths;
    }

    private static byte[] digests(ByteBuffer bytes, Map<Integer, Integer> digestBytes) throws RejectedException {
        int count = bytes.getInt();
        byte[] found = new byte[0];
        if (count < 1 || count > MAX_ALGORITHMS) {
            throw malformed(count + " digests", bytes);
        }
        for (int i = 0; i < count; i++) {
            int algorithm = Short.toUnsignedInt(bytes.getShort());
            Integer length = digestBytes.get(algorithm);
            if (length == null) {
                throw malformed("an algorithm that the header does not list", bytes);
            }
            byte[] digest = take(bytes, length);
            found = algorithm == ALG_SHA256 ? digest : found;
        }
        if (found.length == 0) {
            throw malformed("an event without a SHA-256 digest", bytes);
        }
        return found;
    }

    private static byte[] take(ByteBuffer bytes, int length) throws RejectedException {
        if (length < 0 || length > bytes.remaining()) {
            throw malformed("a field of " + Integer.toUnsignedString(length) + " bytes", bytes);
        }
        byte[] taken = new byte[length];
        bytes.get(taken);
        return taken;
    }

    private static boolean startsWith(byte[] bytes, byte[] prefix) {
        return bytes.length >= prefix.length && Arrays.equals(bytes, 0, prefix.length, prefix, 0, prefix.length);
    }

    private static RejectedException malformed(String detail, ByteBuffer bytes) {
        return new RejectedException(Code.ATT_PLATFORM, "boot log: " + detail, bytes.position());
    }
}
