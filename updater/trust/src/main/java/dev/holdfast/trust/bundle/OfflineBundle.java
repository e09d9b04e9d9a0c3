package dev.holdfast.trust.bundle;

import dev.holdfast.trust.client.BlockSink;
import dev.holdfast.trust.client.BlockSource;
import dev.holdfast.trust.client.MetadataSource;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A repository in one file, for devices that no network reaches: one more transport, trusted as little as the others. Whoever made the
 * bytes available releases them. Belongs to one thread at a time.
 */
public final class OfflineBundle implements MetadataSource, BlockSource {
    private final SeekableBytes bytes;
    private final BundleIndex index;
    private final String device;

    private OfflineBundle(SeekableBytes bytes, BundleIndex index, String device) {
        this.bytes = bytes;
        this.index = index;
        this.device = device;
    }

    /**
     * Reads the list of contents; {@code BDL-*} where it does not hold.
     *
     * @param device whose order is asked for
     */
    public static Verdict<OfflineBundle> open(SeekableBytes bytes, String device) {
        try {
            return Verdict.accepted(new OfflineBundle(bytes, BundleIndex.read(bytes), device));
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        } catch (IOException e) {
            return Verdict.rejected(Code.BDL_TRUNCATED, unreadable(e));
        }
    }

    private static String unreadable(IOException failure) {
        return "the bundle cannot be read: " + failure.getMessage();
    }

    @Override
    public Optional<byte[]> fetch(String fileName, int maxBytes) throws IOException {
        return document(BundleIndex.METADATA + fileName, maxBytes);
    }

    /** The order was signed before anybody knew the nonce; see {@link #answersNonces}. */
    @Override
    public Optional<byte[]> directorOrder(byte[] nonce) throws IOException {
        Optional<byte[]> order =
                document(BundleIndex.DIRECTOR + device + BundleIndex.JSON, TrustClient.MAX_ORDER_BYTES);
        if (order.isEmpty()) {
            throw new SourceException(Code.UPD_DIRECTOR_DEVICE, "the bundle has no order for " + device);
        }
        return order;
    }

    @Override
    public boolean answersNonces() {
        return false;
    }

    private Optional<byte[]> document(String name, int maxBytes) throws IOException {
        Optional<BundleIndex.Entry> found = index.find(name);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        if (found.get().length() > maxBytes) {
            throw new SourceException(
                    Code.BDL_TOO_LARGE, name + " has " + found.get().length() + " bytes, at most " + maxBytes);
        }
        return Optional.of(read(found.get(), 0, (int) found.get().length()));
    }

    @Override
    public List<Sha256> leaves(Sha256 blob, int first, int count) throws IOException {
        byte[] hashes = read(required(BundleIndex.LEAVES, blob), (long) first * Sha256.BYTES, count * Sha256.BYTES);
        List<Sha256> leaves = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            leaves.add(new Sha256(Binary.copyOf(hashes, i * Sha256.BYTES, Sha256.BYTES)));
        }
        return leaves;
    }

    @Override
    public void fetch(Sha256 blob, Cut cut, List<Integer> wanted, BlockSink sink) throws IOException {
        BundleIndex.Entry target = required(BundleIndex.TARGETS, blob);
        for (int block : wanted) {
            long offset = (long) block * cut.blockBytes();
            byte[] bytes = read(target, offset, (int) Math.min(cut.blockBytes(), target.length() - offset));
            sink.accept(block, Binary.copyOf(bytes));
        }
    }

    /** Whether the file of this digest is here, or something that claims to be it. */
    public boolean offers(Sha256 blob) {
        return index.find(BundleIndex.TARGETS + blob.hex()).isPresent();
    }

    /** The order with those patches alone that are here, to be carried out at once: a person is at the device. */
    public ModelOrder offered(ModelOrder order) {
        return order.with(order.deltas().stream()
                        .filter(delta -> offers(delta.file().sha256()))
                        .toList())
                .atOnce();
    }

    private BundleIndex.Entry required(String folder, Sha256 blob) throws SourceException {
        return index.find(folder + blob.hex())
                .orElseThrow(() -> new SourceException(Code.BDL_ABSENT, "the bundle lacks " + folder + blob.hex()));
    }

    private byte[] read(BundleIndex.Entry entry, long offset, int count) throws IOException {
        if (offset < 0 || count < 0 || offset + count > entry.length()) {
            throw new SourceException(Code.BDL_TRUNCATED, "an entry has " + entry.length() + " bytes only");
        }
        ByteBuffer buffer = ByteBuffer.allocate(count);
        try {
            bytes.read(buffer, entry.offset() + offset);
        } catch (IOException e) {
            throw new SourceException(Code.BDL_TRUNCATED, unreadable(e));
        }
        if (buffer.hasRemaining()) {
            throw new SourceException(Code.BDL_TRUNCATED, "the bundle became shorter");
        }
        return buffer.array();
    }
}
