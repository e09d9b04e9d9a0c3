package dev.holdfast.delta;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Progress;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/**
 * Turns the base itself into the result, for devices that cannot hold both. Before a block is overwritten its old bytes go
 * into an undo file, durably; a process that was killed anywhere puts them back and goes on. Possible only where no block
 * reads what an earlier one has overwritten, which holds for a fine-tune whose head kept its length; else {@code DLT-BASE}
 * before anything is touched. While it runs the file is neither model: whoever serves from it must have stopped.
 *
 * <p>The undo file: {@code hash of the patch's head (32), i32 block, i32 length, old bytes, SHA-256 of all before}.
 */
public final class InPlacePatch {
    private static final int UNDO_HEAD = Sha256.BYTES + 8;

    private InPlacePatch() {}

    /** Applies, or goes on with, a patch; the same call after a crash. */
    public static Verdict<Sha256> apply(Path file, Path patch, Path undo, Progress progress) throws IOException {
        return switch (PatchHeader.read(patch)) {
            case Verdict.Rejected<PatchHeader> rejected -> rejected.as();
            case Verdict.Accepted<PatchHeader>(PatchHeader header) -> {
                if (!isPossible(header)) {
                    yield Verdict.rejected(Code.DLT_BASE, "blocks read what others overwrite: not possible in place");
                }
                yield run(header, file, patch, undo, progress);
            }
        };
    }

    private static boolean isPossible(PatchHeader header) {
        for (int i = 0; i < header.blockCount(); i++) {
            PatchHeader.Block block = header.block(i);
            for (Segment segment : block.segments()) {
                if (segment.op().readsBase() && segment.source() < block.outputOffset()) {
                    return false;
                }
            }
        }
        return header.resultBytes() >= 0;
    }

    private static Verdict<Sha256> run(PatchHeader header, Path file, Path patch, Path undo, Progress progress)
            throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
                FileChannel payloads = FileChannel.open(patch, StandardOpenOption.READ)) {
            if (!Files.exists(undo)) {
                Sha256 now = Sha256.ofFile(file);
                if (now.equals(header.result())) {
                    return Verdict.accepted(now);
                }
                if (!now.equals(header.base())) {
                    return Verdict.rejected(Code.DLT_BASE, "the base is not " + header.base());
                }
            }
            int begin;
            switch (putBack(header, channel, undo)) {
                case Verdict.Rejected<Integer>(Rejection reason) -> {
                    return new Verdict.Rejected<>(reason);
                }
                case Verdict.Accepted<Integer>(Integer block) -> begin = block;
            }
            SegmentDecoder decoder = new SegmentDecoder(header.plan());
            for (int i = begin; i < header.blockCount(); i++) {
                PatchHeader.Block block = header.block(i);
                byte[] old = BlockMaker.read(channel, block.outputOffset(), block.outputBytes());
                if (!Sha256.of(old).equals(block.outputHash())) {
                    switch (BlockMaker.make(header.plan(), block, channel, payloads, decoder)) {
                        case Verdict.Rejected<byte[]>(Rejection reason) -> {
                            return Verdict.rejected(reason.code(), "block " + i + ": " + reason.detail());
                        }
                        case Verdict.Accepted<byte[]>(byte[] made) -> {
                            keep(undo, header, i, old);
                            write(channel, made, block.outputOffset());
                            channel.force(false);
                        }
                    }
                }
                progress.at(block.outputOffset() + block.outputBytes(), header.resultBytes());
            }
            channel.truncate(header.resultBytes());
            channel.force(true);
        }
        Files.deleteIfExists(undo);
        return Sha256.ofFile(file).equals(header.result())
                ? Verdict.accepted(header.result())
                : Verdict.rejected(Code.INS_DIGEST, "the result is not " + header.result());
    }

    /** Undoes a block that may be half written; the block to go on with. */
    private static Verdict<Integer> putBack(PatchHeader header, FileChannel channel, Path undo) throws IOException {
        if (!Files.exists(undo)) {
            return Verdict.accepted(0);
        }
        if (Files.size(undo) > PatchHeader.MAX_OUTPUT_BYTES + UNDO_HEAD + Sha256.BYTES) {
            return Verdict.rejected(Code.DLT_BASE, "no undo file of a patch");
        }
        byte[] all = Files.readAllBytes(undo);
        int body = all.length - Sha256.BYTES;
        if (body < UNDO_HEAD
                || !Sha256.of(Arrays.copyOf(all, body)).equals(new Sha256(Binary.copyOf(all, body, Sha256.BYTES)))) {
            // Torn: the block that it was for is untouched. Blocks that are done are found by their hashes.
            return Verdict.accepted(0);
        }
        ByteBuffer in = ByteBuffer.wrap(all, Sha256.BYTES, 8);
        int index = in.getInt();
        int length = in.getInt();
        if (!Arrays.equals(header.digest().toArray(), Arrays.copyOf(all, Sha256.BYTES))
                || index < 0
                || index >= header.blockCount()
                || length != body - UNDO_HEAD) {
            return Verdict.rejected(Code.DLT_BASE, "the undo file is of another patch");
        }
        write(
                channel,
                Arrays.copyOfRange(all, UNDO_HEAD, body),
                header.block(index).outputOffset());
        channel.force(false);
        return Verdict.accepted(index);
    }

    private static void keep(Path undo, PatchHeader header, int block, byte[] old) throws IOException {
        byte[] body = ByteBuffer.allocate(UNDO_HEAD + old.length)
                .put(header.digest().toArray())
                .putInt(block)
                .putInt(old.length)
                .put(old)
                .array();
        try (FileChannel out = FileChannel.open(
                undo, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            write(out, body, 0);
            write(out, Sha256.of(body).toArray(), body.length);
            out.force(true);
        }
    }

    private static void write(FileChannel channel, byte[] bytes, long offset) throws IOException {
        long at = offset;
        for (ByteBuffer left = ByteBuffer.wrap(bytes); left.hasRemaining(); ) {
            at += channel.write(left, at);
        }
    }
}
