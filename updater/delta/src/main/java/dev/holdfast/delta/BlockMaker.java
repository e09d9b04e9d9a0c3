package dev.holdfast.delta;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** Makes one block: the payload's hash before it is decoded, the output's hash before it leaves. */
final class BlockMaker {
    private BlockMaker() {}

    /** The block's bytes, or {@code DLT-PAYLOAD}, {@code DLT-OUTPUT}. Thread-safe as far as {@code decoder} is not shared. */
    static Verdict<byte[]> make(
            PatchPlan plan, PatchHeader.Block block, FileChannel base, FileChannel patch, SegmentDecoder decoder)
            throws IOException {
        byte[] payload = read(patch, block.payloadOffset(), block.payloadBytes());
        if (!Sha256.of(payload).equals(block.payloadHash())) {
            return Verdict.rejected(Code.DLT_PAYLOAD, "the payload's hash");
        }
        byte[] made;
        try {
            made = output(plan, block, base, payload, decoder);
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
        return Sha256.of(made).equals(block.outputHash())
                ? Verdict.accepted(made)
                : Verdict.rejected(Code.DLT_OUTPUT, "the output's hash");
    }

    private static byte[] output(
            PatchPlan plan, PatchHeader.Block block, FileChannel base, byte[] payload, SegmentDecoder decoder)
            throws IOException, RejectedException {
        if (block.segments().size() == 1) {
            Segment only = block.segments().getFirst();
            return decoder.decode(only, source(plan, only, base), payload, 0);
        }
        byte[] made = new byte[block.outputBytes()];
        int to = 0;
        int from = 0;
        for (Segment segment : block.segments()) {
            byte[] piece = decoder.decode(segment, source(plan, segment, base), payload, from);
            System.arraycopy(piece, 0, made, to, piece.length);
            to += piece.length;
            from += segment.payloadBytes();
        }
        return made;
    }

    private static byte[] source(PatchPlan plan, Segment segment, FileChannel base)
            throws IOException, RejectedException {
        return read(base, segment.source(), (int) plan.sourceBytes(segment));
    }

    /** What is past the end of a file reads as zeros, which the hashes refuse. */
    static byte[] read(FileChannel channel, long offset, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining() && channel.read(buffer, offset + buffer.position()) >= 0) {
            // Until the range is read or the file ends.
        }
        return buffer.array();
    }
}
