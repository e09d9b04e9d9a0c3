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
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The kernel's list of measured files, {@code binary_runtime_measurements} (kernel documentation, IMA templates), little-endian. An
 * entry of the template {@code ima}, and one of any other:
 *
 * <pre>
 * u32 PCR | 20 bytes SHA-1 of the template | u32 3 | "ima"               | 20 bytes digest | u32 length | path
 * u32 PCR | 20 bytes SHA-1 of the template | u32 length | template's name | u32 length of the fields | { u32 length | field }...
 * </pre>
 *
 * The SHA-256 bank is extended by SHA-256 over all fields with their lengths; with the template {@code ima} over the digest and the
 * path, which zeroes fill up to 256 bytes. That is computed here, and the SHA-1 in the list is not looked at, but for one thing: one
 * of zeroes stands for a violation, for which the kernel extends ones. Every field has its length, so a path may hold any
 * byte. What the list says of the files is not judged. Stateless.
 */
public final class ImaLog {
    public static final int PCR = 10;

    private static final int MAX_PCR = 23;
    private static final int SHA1_BYTES = 20;
    private static final int MAX_NAME_BYTES = 64;
    private static final int MAX_FIELDS = 16;
    private static final int MAX_DIGEST_BYTES = 64;
    private static final String OLD = "ima";
    /** The path in a template {@code ima}, with its end. */
    private static final int OLD_PATH_BYTES = 256;

    /** Templates of the kernel to their number of fields. The first is a digest with its algorithm, the second a path. */
    private static final Map<String, Integer> FIELDS = Map.of(
            "ima-ng", 2, "ima-ngv2", 2, "ima-sig", 3, "ima-sigv2", 3, "ima-buf", 3, "ima-modsig", 5, "evm-sig", 9);

    private ImaLog() {}

    /** How many entries lead from zero to {@code register}; rejected where none do or one of them cannot be read. */
    public static Verdict<Integer> prefix(Binary log, Binary register) {
        return Verdict.of(() -> {
            OptionalInt found = ImaTextLog.is(log)
                    ? prefix(ImaTextLog.of(log.toArray()), register)
                    : prefix(new Entries(log.toArray()), register);
            return found.orElseThrow(() ->
                    new RejectedException(Code.ATT_PLATFORM, "no prefix of the list of files leads to PCR " + PCR));
        });
    }

    /** What each entry extends into PCR 10, in order. */
    interface Extends {
        boolean hasNext();

        /** Empty for an entry of another register: a rule of the kernel's policy may name one. */
        Optional<byte[]> next() throws RejectedException;
    }

    private static OptionalInt prefix(Extends entries, Binary register) throws RejectedException {
        byte[] wanted = register.toArray();
        byte[] value = Event.ZERO.toArray();
        for (int i = 0; ; i++) {
            if (MessageDigest.isEqual(value, wanted)) {
                return OptionalInt.of(i);
            }
            if (!entries.hasNext()) {
                return OptionalInt.empty();
            }
            Optional<byte[]> extended = entries.next();
            if (extended.isPresent()) {
                value = Sha256.of(value, extended.get()).toArray();
            }
        }
    }

    /** For a violation (security/integrity/ima: the digests of all banks are ones). */
    static byte[] ones() {
        byte[] ones = new byte[Sha256.BYTES];
        Arrays.fill(ones, (byte) 0xff);
        return ones;
    }

    /** Reads one entry after the other; nothing is allocated by a length that was not held against what is left. */
    private static final class Entries implements Extends {
        private final ByteBuffer bytes;
        private int number;

        Entries(byte[] log) {
            bytes = ByteBuffer.wrap(log).order(ByteOrder.LITTLE_ENDIAN);
        }

        @Override
        public boolean hasNext() {
            return bytes.hasRemaining();
        }

        @Override
        public Optional<byte[]> next() throws RejectedException {
            number++;
            try {
                return entry();
            } catch (BufferUnderflowException e) {
                throw malformed("ends within it");
            }
        }

        private Optional<byte[]> entry() throws RejectedException {
            int pcr = bytes.getInt();
            if (pcr < 0 || pcr > MAX_PCR) {
                throw malformed("PCR " + Integer.toUnsignedString(pcr));
            }
            boolean violation = Arrays.equals(take(SHA1_BYTES), new byte[SHA1_BYTES]);
            String name = new String(take(length(MAX_NAME_BYTES)), StandardCharsets.ISO_8859_1);
            byte[] extended = name.equals(OLD) ? old() : fields(name, violation);
            return pcr == PCR ? Optional.of(violation ? ones() : extended) : Optional.empty();
        }

        private byte[] old() throws RejectedException {
            byte[] digest = take(SHA1_BYTES);
            byte[] path = take(length(OLD_PATH_BYTES - 1));
            return Sha256.of(digest, Arrays.copyOf(path, OLD_PATH_BYTES)).toArray();
        }

        private byte[] fields(String name, boolean violation) throws RejectedException {
            byte[] all = take(length(bytes.remaining()));
            ByteBuffer rest = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN);
            int count = 0;
            for (; rest.hasRemaining() && count < MAX_FIELDS; count++) {
                int length = rest.getInt();
                if (length < 0 || length > rest.remaining()) {
                    throw malformed("a field of " + Integer.toUnsignedString(length) + " bytes");
                }
                byte[] field = new byte[length];
                rest.get(field);
                if (FIELDS.containsKey(name) && !violation) {
                    requireForm(count, field);
                }
            }
            // The fields of a format of one's own are taken apart and not looked at.
            if (rest.hasRemaining() || count != FIELDS.getOrDefault(name, count)) {
                throw malformed("another number of fields than its template has");
            }
            return Sha256.of(all).toArray();
        }

        /** {@code algorithm ':' NUL digest}, then a path that ends with NUL. */
        private void requireForm(int place, byte[] field) throws RejectedException {
            int end = 0;
            while (end < field.length && field[end] != 0) {
                end++;
            }
            if (place == 0) {
                int digest = field.length - end - 1;
                if (end < 2 || field[end - 1] != ':' || digest < 1 || digest > MAX_DIGEST_BYTES) {
                    throw malformed("a digest without its algorithm");
                }
            } else if (place == 1 && end != field.length - 1) {
                throw malformed("a path that does not end where its field does");
            }
        }

        private int length(int most) throws RejectedException {
            int length = bytes.getInt();
            if (length < 0 || length > most) {
                throw malformed("a length of " + Integer.toUnsignedString(length));
            }
            return length;
        }

        private byte[] take(int length) {
            if (length > bytes.remaining()) {
                throw new BufferUnderflowException();
            }
            byte[] taken = new byte[length];
            bytes.get(taken);
            return taken;
        }

        private RejectedException malformed(String detail) {
            return new RejectedException(
                    Code.ATT_PLATFORM, "list of measured files, entry " + number + ": " + detail, bytes.position());
        }
    }
}
