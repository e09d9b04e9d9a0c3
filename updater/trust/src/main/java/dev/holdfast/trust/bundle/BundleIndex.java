package dev.holdfast.trust.bundle;

import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.client.TufClient;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Where each part of an offline bundle is: an uncompressed ustar archive. An entry is found by its exact name or not at all, and no name ever
 * becomes a path. The marker comes first; nothing follows the two empty blocks of the end.
 *
 * <pre>
 * holdfast-bundle-1          empty
 * metadata/FILE.json         as published
 * director/DEVICE.json       an order that was signed for offline use
 * leaves/DIGEST              32 bytes for each block of the target
 * targets/DIGEST             the file
 * </pre>
 */
record BundleIndex(Map<String, Entry> entries) {
    static final String MARKER = "holdfast-bundle-1";
    static final String METADATA = "metadata/";
    static final String DIRECTOR = "director/";
    static final String LEAVES = "leaves/";
    static final String TARGETS = "targets/";
    static final String JSON = ".json";
    /** A stick for a thousand devices. What is kept of each entry is its name and two numbers. */
    static final int MAX_ENTRIES = 4096;

    private static final long MAX_LEAVES_BYTES = (TarHeader.MAX_LENGTH / BlockTree.MIN_BYTES + 1) * Sha256.BYTES;
    /** Names of roles are escaped before they become names of files. */
    private static final Pattern FILE = Pattern.compile("[0-9A-Za-z_%-][0-9A-Za-z._%-]*");

    private static final Pattern DIGEST = Pattern.compile("[0-9a-f]{64}");

    /** Content of one entry: where it begins and how long it is. */
    record Entry(long offset, long length) {}

    static BundleIndex read(SeekableBytes bytes) throws IOException, RejectedException {
        Map<String, Entry> entries = new LinkedHashMap<>();
        long size = bytes.size();
        long at = 0;
        while (true) {
            byte[] block = block(bytes, at, size);
            if (TarHeader.isEnd(block)) {
                requireEnd(bytes, at + TarHeader.BYTES, size);
                break;
            }
            TarHeader header = TarHeader.parse(block, at);
            if (entries.isEmpty() && !header.equals(new TarHeader(MARKER, 0))) {
                throw new RejectedException(new Rejection(Code.BDL_FORMAT, "no " + MARKER + " at the beginning", at));
            }
            requireLength(header, at);
            if (entries.size() >= MAX_ENTRIES) {
                throw new RejectedException(Code.BDL_TOO_LARGE, "more than " + MAX_ENTRIES + " entries");
            }
            at += TarHeader.BYTES;
            if (entries.put(header.name(), new Entry(at, header.length())) != null) {
                throw new RejectedException(new Rejection(Code.BDL_DUPLICATE, header.name(), at));
            }
            at += header.paddedLength();
            if (at > size) {
                throw new RejectedException(Code.BDL_TRUNCATED, header.name() + " ends behind byte " + size);
            }
        }
        if (entries.isEmpty()) {
            throw new RejectedException(Code.BDL_FORMAT, "the bundle is empty");
        }
        return new BundleIndex(entries);
    }

    Optional<Entry> find(String name) {
        return Optional.ofNullable(entries.get(name));
    }

    /** The longest content that an entry of this name may have; empty where no bundle has such an entry. */
    static Optional<Long> maxLength(String name) {
        if (name.equals(MARKER)) {
            return Optional.of(0L);
        }
        int slash = name.indexOf('/') + 1;
        String rest = name.substring(slash);
        boolean json = rest.endsWith(JSON) && FILE.matcher(rest).matches();
        boolean digest = DIGEST.matcher(rest).matches();
        return switch (name.substring(0, slash)) {
            case METADATA -> json ? Optional.of((long) TufClient.MAX_TARGETS_BYTES) : Optional.empty();
            case DIRECTOR -> json ? Optional.of((long) TrustClient.MAX_ORDER_BYTES) : Optional.empty();
            case LEAVES -> digest ? Optional.of(MAX_LEAVES_BYTES) : Optional.empty();
            case TARGETS -> digest ? Optional.of(TarHeader.MAX_LENGTH) : Optional.empty();
            default -> Optional.empty();
        };
    }

    private static void requireLength(TarHeader header, long at) throws RejectedException {
        Optional<Long> max = maxLength(header.name());
        if (max.isEmpty()) {
            throw new RejectedException(new Rejection(Code.BDL_NAME, header.name(), at));
        }
        if (header.length() > max.get()) {
            throw new RejectedException(new Rejection(
                    Code.BDL_TOO_LARGE,
                    header.name() + " has " + header.length() + " bytes, at most " + max.get(),
                    at));
        }
    }

    private static void requireEnd(SeekableBytes bytes, long at, long size) throws IOException, RejectedException {
        if (!TarHeader.isEnd(block(bytes, at, size)) || at + TarHeader.BYTES != size) {
            throw new RejectedException(new Rejection(Code.BDL_FORMAT, "something follows the end", at));
        }
    }

    private static byte[] block(SeekableBytes bytes, long at, long size) throws IOException, RejectedException {
        ByteBuffer block = ByteBuffer.allocate(TarHeader.BYTES);
        if (at + TarHeader.BYTES <= size) {
            bytes.read(block, at);
        }
        if (block.hasRemaining()) {
            throw new RejectedException(new Rejection(Code.BDL_TRUNCATED, "the bundle has no end", at));
        }
        return block.array();
    }
}
