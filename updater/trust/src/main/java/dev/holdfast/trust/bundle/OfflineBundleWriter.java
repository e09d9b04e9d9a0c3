package dev.holdfast.trust.bundle;

import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Writes an offline bundle to a stream, which stays open; {@link #finish} comes last. Names and bounds are those of the reader. */
public final class OfflineBundleWriter {
    private static final int BUFFER_BYTES = 64 * 1024;

    private final OutputStream out;
    private final Set<String> names = new HashSet<>();

    public OfflineBundleWriter(OutputStream out) throws IOException {
        this.out = out;
        begin(BundleIndex.MARKER, 0);
    }

    /** A file of metadata under its published name. */
    public void metadata(String fileName, byte[] bytes) throws IOException {
        write(BundleIndex.METADATA + fileName, bytes);
    }

    /** A device's order, signed for offline use. */
    public void order(String device, byte[] bytes) throws IOException {
        write(BundleIndex.DIRECTOR + device + BundleIndex.JSON, bytes);
    }

    /** A published file, with the leaves of its block tree before it. One that is in already is left out. */
    public void target(Sha256 digest, Path file, int blockBytes) throws IOException {
        if (names.contains(BundleIndex.TARGETS + digest.hex())) {
            return;
        }
        List<Sha256> leaves = MerkleTree.leaves(file, blockBytes);
        begin(BundleIndex.LEAVES + digest.hex(), (long) leaves.size() * Sha256.BYTES);
        for (Sha256 leaf : leaves) {
            out.write(leaf.toArray());
        }
        fill((long) leaves.size() * Sha256.BYTES);
        long length = Files.size(file);
        begin(BundleIndex.TARGETS + digest.hex(), length);
        MessageDigest hash = Sha256.newDigest();
        byte[] buffer = new byte[BUFFER_BYTES];
        long left = length;
        try (InputStream in = Files.newInputStream(file)) {
            while (left > 0) {
                int read = in.read(buffer, 0, (int) Math.min(buffer.length, left));
                if (read < 0) {
                    throw new IOException(file + " became shorter");
                }
                hash.update(buffer, 0, read);
                out.write(buffer, 0, read);
                left -= read;
            }
        }
        if (!Sha256.finish(hash).equals(digest)) {
            throw new IOException(file + " is damaged: its digest is not " + digest.hex());
        }
        fill(length);
    }

    private void write(String name, byte[] bytes) throws IOException {
        begin(name, bytes.length);
        out.write(bytes);
        fill(bytes.length);
    }

    private void begin(String name, long length) throws IOException {
        if (!names.add(name) || names.size() > BundleIndex.MAX_ENTRIES) {
            throw new IOException(name + " is in already, or is one entry too many");
        }
        if (name.length() > TarHeader.MAX_NAME_CHARS
                || BundleIndex.maxLength(name).orElse(-1L) < length) {
            throw new IOException(name + " of " + length + " bytes fits no bundle");
        }
        out.write(new TarHeader(name, length).toBytes());
    }

    private void fill(long length) throws IOException {
        out.write(new byte[(int) (new TarHeader("", length).paddedLength() - length)]);
    }

    /** Writes the end, and flushes. */
    public void finish() throws IOException {
        out.write(new byte[2 * TarHeader.BYTES]);
        out.flush();
    }
}
