package dev.holdfast.updater.delta;

import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Makes patches: for every block all operations that fit are tried, and the smallest payload wins. The same two files
 * give the same patch, byte for byte.
 */
public final class DeltaProducer {
    private static final DeltaOp[] RUN_DIFFERENCES = {DeltaOp.DIFF_32};

    private DeltaProducer() {}

    /** Writes to {@code out} the patch that makes {@code next} from {@code base}; both are read twice. */
    public static DeltaSummary create(Path base, Path next, Path out) throws IOException {
        long baseBytes = Files.size(base);
        long nextBytes = Files.size(next);
        Path payloads = out.resolveSibling(out.getFileName() + ".payloads");
        Path temporary = out.resolveSibling(out.getFileName() + ".tmp");
        Map<DeltaOp, Integer> counts = new EnumMap<>(DeltaOp.class);
        List<byte[]> entries = new ArrayList<>();
        try (FileChannel baseIn = FileChannel.open(base, StandardOpenOption.READ);
                FileChannel nextIn = FileChannel.open(next, StandardOpenOption.READ)) {
            try (FileChannel payloadOut = create(payloads)) {
                for (Segments.Segment segment : Segments.of(base, next, nextBytes)) {
                    int step =
                            segment.difference().map(BlockCodec::elementBytes).orElse(1);
                    int most = PatchHeader.MAX_OUTPUT_BYTES / step * step;
                    for (long at = segment.start(); at < segment.end(); at += most) {
                        int count = (int) Math.min(most, segment.end() - at);
                        long source = segment.baseStart() + at - segment.start();
                        boolean inBase = source >= 0 && source + count <= baseBytes;
                        byte[] output = read(nextIn, at, count);
                        byte[] old = inBase ? read(baseIn, source, count) : new byte[0];
                        Choice choice = choose(segment, old, output);
                        payloadOut.write(ByteBuffer.wrap(choice.payload));
                        entries.add(entry(choice, output, source));
                        counts.merge(choice.op, 1, Integer::sum);
                    }
                }
            }
            if (entries.size() > PatchHeader.MAX_BLOCKS) {
                throw new IOException("the file needs " + entries.size() + " blocks");
            }
            byte[] head = head(base, baseBytes, next, nextBytes, entries);
            try (FileChannel file = create(temporary);
                    FileChannel payloadIn = FileChannel.open(payloads, StandardOpenOption.READ)) {
                file.write(ByteBuffer.wrap(head));
                long size = payloadIn.size();
                for (long at = 0; at < size; ) {
                    at += payloadIn.transferTo(at, size - at, file);
                }
                file.force(true);
            }
            Files.move(temporary, out, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(payloads);
            Files.deleteIfExists(temporary);
        }
        return new DeltaSummary(baseBytes, nextBytes, Files.size(out), counts);
    }

    private record Choice(DeltaOp op, byte[] payload) {
        Choice orSmaller(DeltaOp other, byte[] bytes) {
            return bytes.length < payload.length ? new Choice(other, bytes) : this;
        }
    }

    private static Choice choose(Segments.Segment segment, byte[] old, byte[] output) {
        if (old.length == output.length && Arrays.equals(old, output)) {
            return new Choice(DeltaOp.COPY, new byte[0]);
        }
        Choice best = new Choice(DeltaOp.RAW, output).orSmaller(DeltaOp.ZSTD, BlockCodec.compress(output));
        if (old.length == output.length) {
            DeltaOp[] differences =
                    segment.difference().map(op -> new DeltaOp[] {op}).orElse(RUN_DIFFERENCES);
            for (DeltaOp op : differences) {
                if (output.length % BlockCodec.elementBytes(op) == 0) {
                    best = best.orSmaller(op, BlockCodec.encode(op, old, output));
                }
            }
        }
        return best;
    }

    private static byte[] entry(Choice choice, byte[] output, long source) {
        boolean reads = choice.op.readsBase();
        return ByteBuffer.allocate(PatchHeader.ENTRY_BYTES)
                .put(0, (byte) choice.op.number())
                .putInt(4, output.length)
                .putLong(8, reads ? source : 0)
                .putInt(16, reads ? output.length : 0)
                .putInt(20, choice.payload.length)
                .put(24, Sha256.of(choice.payload).toArray())
                .put(56, Sha256.of(output).toArray())
                .array();
    }

    private static byte[] head(Path base, long baseBytes, Path next, long nextBytes, List<byte[]> entries)
            throws IOException {
        ByteBuffer head =
                ByteBuffer.allocate(PatchHeader.HEAD_BYTES + entries.size() * PatchHeader.ENTRY_BYTES + Sha256.BYTES);
        head.putInt(PatchHeader.MAGIC).putShort((short) 1).putShort((short) 0);
        head.put(Sha256.ofFile(base).toArray()).putLong(baseBytes);
        head.put(Sha256.ofFile(next).toArray()).putLong(nextBytes).putInt(entries.size());
        entries.forEach(head::put);
        return head.put(Sha256.of(Arrays.copyOf(head.array(), head.position())).toArray())
                .array();
    }

    private static FileChannel create(Path file) throws IOException {
        return FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
    }

    private static byte[] read(FileChannel channel, long offset, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, offset + buffer.position()) < 0) {
                throw new IOException("the file became shorter");
            }
        }
        return buffer.array();
    }
}
