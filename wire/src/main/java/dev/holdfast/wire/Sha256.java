package dev.holdfast.wire;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** A SHA-256 value of 32 bytes: the name of a model, a patch or a metadata file. */
public record Sha256(Binary value) {
    public static final int BYTES = 32;
    private static final int READ_BYTES = 64 * 1024;

    public Sha256 {
        if (value.length() != BYTES) {
            throw new IllegalArgumentException("a SHA-256 has 32 bytes, not " + value.length());
        }
    }

    /** A fresh JDK digest; every JDK has it. */
    public static MessageDigest newDigest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The hash of the concatenation of {@code parts}. */
    public static Sha256 of(byte[]... parts) {
        MessageDigest digest = newDigest();
        for (byte[] part : parts) {
            digest.update(part);
        }
        return finish(digest);
    }

    /** The hash of a file's bytes, read in small pieces. */
    public static Sha256 ofFile(Path file) throws IOException {
        MessageDigest digest = newDigest();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer buffer = ByteBuffer.allocate(READ_BYTES);
            while (channel.read(buffer.clear()) >= 0) {
                digest.update(buffer.flip());
            }
        }
        return finish(digest);
    }

    /** Ends {@code digest} and wraps its value. */
    public static Sha256 finish(MessageDigest digest) {
        return new Sha256(Binary.copyOf(digest.digest()));
    }

    /** Reads 64 hexadecimal digits. */
    public static Verdict<Sha256> fromHex(String hex) {
        if (hex.length() != 2 * BYTES) {
            return Verdict.rejected(Code.WIRE_FIELD, "a SHA-256 has 64 hexadecimal digits");
        }
        return Binary.fromHex(hex).then(value -> Verdict.accepted(new Sha256(value)));
    }

    public String hex() {
        return value.hex();
    }

    public byte[] toArray() {
        return value.toArray();
    }

    @Override
    public String toString() {
        return hex();
    }
}
