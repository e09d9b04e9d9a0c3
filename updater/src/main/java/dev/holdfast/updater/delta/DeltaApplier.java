package dev.holdfast.updater.delta;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Makes a file from a base and a patch, block by block, in any order and across restarts. The payload's hash is checked
 * before it is decoded, the output's hash before it is handed on. Thread-safe: each thread that makes blocks holds one
 * block's source, payload and output and one tensor's tables, below 20 MiB whatever the model's size.
 */
public final class DeltaApplier implements AutoCloseable {
    private final PatchHeader header;
    private final FileChannel base;
    private final FileChannel patch;
    private final Queue<SegmentDecoder> decoders = new ConcurrentLinkedQueue<>();

    private DeltaApplier(PatchHeader header, FileChannel base, FileChannel patch) {
        this.header = header;
        this.base = base;
        this.patch = patch;
    }

    /** Opens both files and checks the patch's table; {@code DLT-FORMAT}, or {@code DLT-BASE} by the base's length. */
    public static Verdict<DeltaApplier> open(Path base, Path patch) throws IOException {
        Verdict<PatchHeader> read = PatchHeader.read(patch);
        return switch (read) {
            case Verdict.Rejected<PatchHeader> rejected -> rejected.as();
            case Verdict.Accepted<PatchHeader>(PatchHeader header) -> {
                if (!Files.isRegularFile(base) || Files.size(base) != header.baseBytes()) {
                    yield Verdict.rejected(Code.DLT_BASE, "the base has not " + header.baseBytes() + " bytes");
                }
                FileChannel baseChannel = FileChannel.open(base, StandardOpenOption.READ);
                yield Verdict.accepted(
                        new DeltaApplier(header, baseChannel, FileChannel.open(patch, StandardOpenOption.READ)));
            }
        };
    }

    public int blockCount() {
        return header.blockCount();
    }

    public Sha256 base() {
        return header.base();
    }

    public Sha256 result() {
        return header.result();
    }

    public long resultBytes() {
        return header.resultBytes();
    }

    /** A number that two patches with the same block table share; others hardly. */
    public long layout() {
        return ByteBuffer.wrap(header.digest().toArray()).getLong();
    }

    PatchHeader header() {
        return header;
    }

    /**
     * Makes one block unless {@code out} has it.
     *
     * @return bytes written, or {@code DLT-PAYLOAD}, {@code DLT-OUTPUT}, {@code DLT-FORMAT}; {@code DLT-BASE} where the
     *     output does not hold and the reason is another base
     */
    public Verdict<Integer> make(int index, BlockOutput out) throws IOException {
        if (out.has(index)) {
            return Verdict.accepted(0);
        }
        return switch (block(index)) {
            case Verdict.Rejected<byte[]> rejected -> rejected.as();
            case Verdict.Accepted<byte[]>(byte[] made) -> {
                out.write(index, header.block(index).outputOffset(), ByteBuffer.wrap(made));
                yield Verdict.accepted(made.length);
            }
        };
    }

    /** The verified bytes of one block. */
    Verdict<byte[]> block(int index) throws IOException {
        PatchHeader.Block block = header.block(index);
        byte[] payload = read(patch, block.payloadOffset(), block.payloadBytes());
        if (!Sha256.of(payload).equals(block.payloadHash())) {
            return Verdict.rejected(Code.DLT_PAYLOAD, "block " + index);
        }
        SegmentDecoder pooled = decoders.poll();
        SegmentDecoder decoder = pooled == null ? new SegmentDecoder(header.plan()) : pooled;
        byte[] made = new byte[block.outputBytes()];
        try {
            int to = 0;
            int from = 0;
            for (Segment segment : block.segments()) {
                byte[] source = read(base, segment.source(), (int) header.plan().sourceBytes(segment));
                byte[] piece = decoder.decode(segment, source, payload, from);
                System.arraycopy(piece, 0, made, to, piece.length);
                to += piece.length;
                from += segment.payloadBytes();
            }
        } catch (RejectedException e) {
            // The payload is what its producer hashed: a stream that does not come out was made for another base.
            Rejection why = e.rejection();
            return refuse(why.code(), "block " + index + ": " + why.detail());
        } finally {
            decoders.add(decoder);
        }
        return Sha256.of(made).equals(block.outputHash())
                ? Verdict.accepted(made)
                : refuse(Code.DLT_OUTPUT, "block " + index);
    }

    private Verdict<byte[]> refuse(Code code, String detail) throws IOException {
        MessageDigest digest = Sha256.newDigest();
        for (long at = 0; at < header.baseBytes(); at += PatchHeader.MAX_OUTPUT_BYTES) {
            digest.update(read(base, at, (int) Math.min(PatchHeader.MAX_OUTPUT_BYTES, header.baseBytes() - at)));
        }
        return Sha256.finish(digest).equals(header.base())
                ? Verdict.rejected(code, detail)
                : Verdict.rejected(Code.DLT_BASE, "the base is not " + header.base());
    }

    private static byte[] read(FileChannel channel, long offset, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining() && channel.read(buffer, offset + buffer.position()) >= 0) {
            // Until the range is read; a file that was cut meanwhile leaves zeros, which the hashes refuse.
        }
        return buffer.array();
    }

    @Override
    public void close() throws IOException {
        base.close();
        patch.close();
    }
}
