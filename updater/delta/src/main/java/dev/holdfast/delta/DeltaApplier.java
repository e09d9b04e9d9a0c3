package dev.holdfast.delta;

import dev.holdfast.wire.Code;
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

    /** Where a block begins in the result. Blocks follow each other without gaps. */
    public long outputOffset(int index) {
        return header.block(index).outputOffset();
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
        SegmentDecoder pooled = decoders.poll();
        SegmentDecoder decoder = pooled == null ? new SegmentDecoder(header.plan()) : pooled;
        try {
            Verdict<byte[]> made = BlockMaker.make(header.plan(), header.block(index), base, patch, decoder);
            // A payload that holds but does not come out was made for another base.
            return made instanceof Verdict.Rejected<byte[]>(Rejection why)
                    ? refuse(why.code(), "block " + index + ": " + why.detail())
                    : made;
        } finally {
            decoders.add(decoder);
        }
    }

    private Verdict<byte[]> refuse(Code code, String detail) throws IOException {
        MessageDigest digest = Sha256.newDigest();
        for (long at = 0; at < header.baseBytes(); at += PatchHeader.MAX_OUTPUT_BYTES) {
            digest.update(
                    BlockMaker.read(base, at, (int) Math.min(PatchHeader.MAX_OUTPUT_BYTES, header.baseBytes() - at)));
        }
        return Sha256.finish(digest).equals(header.base())
                ? Verdict.rejected(code, detail)
                : Verdict.rejected(Code.DLT_BASE, "the base is not " + header.base());
    }

    @Override
    public void close() throws IOException {
        base.close();
        patch.close();
    }
}
