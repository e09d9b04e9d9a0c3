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
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Makes a file from a base and a patch, block by block, in any order and across restarts. The payload's hash is checked
 * before it is decoded, the output's hash before it is handed on. Holds one block of source, payload and output each:
 * below 8 MiB whatever the model's size. One thread.
 */
public final class DeltaApplier implements AutoCloseable {
    private final PatchHeader header;
    private final FileChannel base;
    private final FileChannel patch;

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

    /**
     * Makes one block unless {@code out} has it.
     *
     * @return bytes written, or {@code DLT-PAYLOAD}, {@code DLT-OUTPUT}, {@code DLT-FORMAT}
     */
    public Verdict<Integer> make(int index, BlockOutput out) throws IOException {
        if (out.has(index)) {
            return Verdict.accepted(0);
        }
        PatchHeader.Block block = header.block(index);
        byte[] payload = read(patch, block.payloadOffset(), block.payloadBytes());
        if (!Sha256.of(payload).equals(block.payloadHash())) {
            return Verdict.rejected(Code.DLT_PAYLOAD, "block " + index);
        }
        byte[] source = read(base, block.sourceOffset(), block.sourceBytes());
        byte[] made;
        try {
            made = BlockCodec.decode(block.op(), source, payload, block.outputBytes());
        } catch (RejectedException e) {
            Rejection why = e.rejection();
            return Verdict.rejected(why.code(), "block " + index + ": " + why.detail());
        }
        if (!Sha256.of(made).equals(block.outputHash())) {
            return Verdict.rejected(Code.DLT_OUTPUT, "block " + index);
        }
        out.write(index, block.outputOffset(), ByteBuffer.wrap(made));
        return Verdict.accepted(made.length);
    }

    private static byte[] read(FileChannel channel, long offset, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining() && channel.read(buffer, offset + buffer.position()) >= 0) {
            // Until the range is read; a file that was cut meanwhile leaves zeros, which the hashes refuse.
        }
        return buffer.array();
    }

    /**
     * Makes {@code result} from {@code base} and {@code patch} at once, base and result hashed as a whole. The file gets
     * its name only when all is well.
     */
    public static Verdict<Sha256> apply(Path base, Path patch, Path result) throws IOException {
        Path temporary = result.resolveSibling(result.getFileName() + ".tmp");
        Verdict<DeltaApplier> opened = open(base, patch);
        return switch (opened) {
            case Verdict.Rejected<DeltaApplier> rejected -> rejected.as();
            case Verdict.Accepted<DeltaApplier>(DeltaApplier applier) -> {
                try (applier) {
                    Verdict<Sha256> made = applier.applyTo(base, temporary);
                    if (made.isAccepted()) {
                        Files.move(temporary, result, StandardCopyOption.ATOMIC_MOVE);
                    }
                    yield made;
                } finally {
                    Files.deleteIfExists(temporary);
                }
            }
        };
    }

    private Verdict<Sha256> applyTo(Path baseFile, Path file) throws IOException {
        if (!Sha256.ofFile(baseFile).equals(header.base())) {
            return Verdict.rejected(Code.DLT_BASE, "the base is not " + header.base());
        }
        try (FileChannel out = FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            for (int i = 0; i < blockCount(); i++) {
                if (make(i, new Whole(out)) instanceof Verdict.Rejected<Integer> rejected) {
                    return rejected.as();
                }
            }
            out.force(true);
        }
        return Sha256.ofFile(file).equals(header.result())
                ? Verdict.accepted(header.result())
                : Verdict.rejected(Code.INS_DIGEST, "the result is not " + header.result());
    }

    private record Whole(FileChannel out) implements BlockOutput {
        @Override
        public boolean has(int block) {
            return false;
        }

        @Override
        public void write(int block, long offset, ByteBuffer bytes) throws IOException {
            long at = offset;
            while (bytes.hasRemaining()) {
                at += out.write(bytes, at);
            }
        }
    }

    @Override
    public void close() throws IOException {
        base.close();
        patch.close();
    }
}
