package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.BitSet;

/** Writes a {@code binary_runtime_measurements} as the kernel does, and what it extends into the SHA-256 bank of PCR 10 meanwhile. */
final class ImaListWriter {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private byte[] register = new byte[Sha256.BYTES];
    private int count;
    private final BitSet covered = new BitSet();

    /** An entry of {@code ima-ng}. */
    ImaListWriter file(String path, Sha256 digest) {
        return entry(ImaLog.PCR, "ima-ng", ng(digest), path(path));
    }

    ImaListWriter entry(int pcr, String template, byte[]... fields) {
        byte[] all = framed(fields);
        head(pcr, sha1(all), template);
        out.writeBytes(u32(all.length));
        covered.set(out.size(), out.size() + all.length);
        out.writeBytes(all);
        return extended(pcr, Sha256.of(all).toArray());
    }

    /** An entry of the first template, which has no lengths but the path's. */
    ImaListWriter old(String path, byte[] sha1) {
        byte[] name = path.getBytes(StandardCharsets.UTF_8);
        head(ImaLog.PCR, sha1(sha1, Arrays.copyOf(name, 256)), "ima");
        int start = out.size();
        out.writeBytes(sha1);
        out.writeBytes(u32(name.length));
        out.writeBytes(name);
        covered.set(start, out.size());
        return extended(ImaLog.PCR, Sha256.of(sha1, Arrays.copyOf(name, 256)).toArray());
    }

    /** A file that was open for writing while it was measured. */
    ImaListWriter violation(String path) {
        byte[] all = framed(new byte[20], path(path));
        head(ImaLog.PCR, new byte[20], "ima-ng");
        out.writeBytes(u32(all.length));
        out.writeBytes(all);
        byte[] ones = new byte[Sha256.BYTES];
        Arrays.fill(ones, (byte) 0xff);
        return extended(ImaLog.PCR, ones);
    }

    private static byte[] sha1(byte[]... parts) {
        try {
            MessageDigest hash = MessageDigest.getInstance("SHA-1");
            Arrays.stream(parts).forEach(hash::update);
            return hash.digest();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private void head(int pcr, byte[] digest, String template) {
        out.writeBytes(u32(pcr));
        out.writeBytes(digest);
        out.writeBytes(u32(template.length()));
        out.writeBytes(template.getBytes(StandardCharsets.US_ASCII));
    }

    private ImaListWriter extended(int pcr, byte[] digest) {
        count++;
        if (pcr == ImaLog.PCR) {
            register = Sha256.of(register, digest).toArray();
        }
        return this;
    }

    static byte[] ng(Sha256 digest) {
        return ByteBuffer.allocate(8 + Sha256.BYTES)
                .put("sha256:\0".getBytes(StandardCharsets.US_ASCII))
                .put(digest.toArray())
                .array();
    }

    static byte[] path(String path) {
        return (path + "\0").getBytes(StandardCharsets.UTF_8);
    }

    static byte[] framed(byte[]... fields) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] field : fields) {
            all.writeBytes(u32(field.length));
            all.writeBytes(field);
        }
        return all.toByteArray();
    }

    private static byte[] u32(int value) {
        return ByteBuffer.allocate(Integer.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array();
    }

    Binary list() {
        return Binary.copyOf(out.toByteArray());
    }

    /** What PCR 10 holds. */
    Binary register() {
        return Binary.copyOf(register);
    }

    int count() {
        return count;
    }

    /** The bytes that the register covers: not the SHA-1 of an entry nor its template's name, nor what a violation names. */
    BitSet covered() {
        return covered;
    }
}
