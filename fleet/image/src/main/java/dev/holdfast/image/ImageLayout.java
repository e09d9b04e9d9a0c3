package dev.holdfast.image;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;

/**
 * A folder that holds an image by the OCI image layout (image-layout.md). What is read was hashed first; names of files come from digests
 * alone; symbolic links are not followed. Thread-safe.
 */
final class ImageLayout {
    static final String VERSION = "1.0.0";
    static final String MARK = "oci-layout";
    static final String INDEX = "index.json";
    /** The image, what signs it, how it was built, what it is made of; some more do no harm. */
    private static final int MAX_MANIFESTS = 16;

    private static final int READ_BYTES = 1 << 16;

    private final Path folder;
    private final List<Descriptor> manifests;

    private ImageLayout(Path folder, List<Descriptor> manifests) {
        this.folder = folder;
        this.manifests = List.copyOf(manifests);
    }

    /** Whether there is the file that marks a layout; what it says is not read. */
    static boolean is(Path folder) {
        return Files.isRegularFile(folder.resolve(MARK), LinkOption.NOFOLLOW_LINKS);
    }

    /** {@code IMG-FORMAT} where the folder is no image layout. */
    static ImageLayout open(Path folder) throws IOException, RejectedException {
        Fields mark = Manifest.document(small(folder.resolve(MARK)));
        if (!mark.text("imageLayoutVersion", 16).equals(VERSION)) {
            throw mark.wrong("imageLayoutVersion", VERSION);
        }
        Fields index = Manifest.document(small(folder.resolve(INDEX)));
        List<Descriptor> manifests = new ArrayList<>();
        for (JsonNode each : index.array("manifests", MAX_MANIFESTS)) {
            Descriptor one = Descriptor.read(each);
            if (!one.mediaType().equals(MediaTypes.MANIFEST)) {
                throw new RejectedException(
                        Code.IMG_FORMAT,
                        "index.json names a " + one.mediaType() + "; an image for one platform is read");
            }
            manifests.add(one);
        }
        return new ImageLayout(folder, manifests);
    }

    List<Descriptor> manifests() {
        return manifests;
    }

    private static byte[] small(Path file) throws IOException, RejectedException {
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) || Files.size(file) > Manifest.MAX_BYTES) {
            throw new RejectedException(
                    Code.IMG_FORMAT, "there is no file " + file + " of at most " + Manifest.MAX_BYTES + " bytes");
        }
        try (SeekableByteChannel channel =
                Files.newByteChannel(file, LinkOption.NOFOLLOW_LINKS, StandardOpenOption.READ)) {
            ByteBuffer read = ByteBuffer.allocate(Manifest.MAX_BYTES);
            while (read.hasRemaining() && channel.read(read) >= 0) {}
            byte[] bytes = new byte[read.flip().remaining()];
            read.get(bytes);
            return bytes;
        }
    }

    /** The bytes of a blob, if they are what its descriptor says; {@code IMG-DIGEST}, or {@code IMG-FORMAT} beyond the limit. */
    byte[] read(Descriptor blob, int maxBytes) throws IOException, RejectedException {
        if (blob.sizeBytes() > maxBytes) {
            throw new RejectedException(
                    Code.IMG_FORMAT,
                    "a " + blob.mediaType() + " of " + blob.sizeBytes() + " bytes, at most " + maxBytes);
        }
        byte[] bytes = new byte[Math.toIntExact(blob.sizeBytes())];
        check(blob, ByteBuffer.wrap(bytes));
        return bytes;
    }

    /** Where a blob is: a regular file of the length that its descriptor says, its bytes not yet hashed; {@code IMG-DIGEST}. */
    Path file(Descriptor blob) throws IOException, RejectedException {
        Path file = path(blob);
        if (Files.size(file) != blob.sizeBytes()) {
            throw new RejectedException(
                    Code.IMG_DIGEST,
                    "the blob " + Descriptor.text(blob.digest()) + " has " + Files.size(file) + " bytes, not "
                            + blob.sizeBytes());
        }
        return file;
    }

    private Path path(Descriptor blob) throws RejectedException {
        Path folders = folder.resolve("blobs").resolve("sha256");
        Path file = folders.resolve(blob.digest().hex());
        if (Files.isSymbolicLink(folders)
                || Files.isSymbolicLink(folder.resolve("blobs"))
                || !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new RejectedException(Code.IMG_DIGEST, "there is no blob " + Descriptor.text(blob.digest()));
        }
        return file;
    }

    /** Hashes a blob of any length, in little memory; {@code IMG-DIGEST}. */
    void check(Descriptor blob) throws IOException, RejectedException {
        check(blob, ByteBuffer.allocate(0));
    }

    /** @param whole where the bytes go, as far as there is room */
    private void check(Descriptor blob, ByteBuffer whole) throws IOException, RejectedException {
        Path file = path(blob);
        MessageDigest digest = Sha256.newDigest();
        long size = 0;
        try (SeekableByteChannel channel =
                Files.newByteChannel(file, LinkOption.NOFOLLOW_LINKS, StandardOpenOption.READ)) {
            ByteBuffer part = ByteBuffer.allocate(READ_BYTES);
            while (size <= blob.sizeBytes() && channel.read(part.clear()) >= 0) {
                part.flip();
                size += part.remaining();
                if (part.remaining() <= whole.remaining()) {
                    whole.put(part.duplicate());
                }
                digest.update(part);
            }
        }
        if (size != blob.sizeBytes() || !Sha256.finish(digest).equals(blob.digest())) {
            throw new RejectedException(
                    Code.IMG_DIGEST,
                    "the blob " + Descriptor.text(blob.digest()) + " has other bytes than its digest says");
        }
    }
}
