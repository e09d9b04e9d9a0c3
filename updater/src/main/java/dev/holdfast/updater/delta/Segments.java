package dev.holdfast.updater.delta;

import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufReader;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Cuts the next file into pieces that one operation fits: each large tensor by its own element width and matched to the
 * base's tensor of the same name, type and shape; all between (head, small tensors, padding) as runs of plain bytes.
 */
final class Segments {
    /** Below this a tensor joins the run around it: a block of its own would cost more than it saves. */
    private static final long LARGE_BYTES = 4 * 1024;

    private Segments() {}

    /**
     * A piece of the next file.
     *
     * @param start first byte in the next file
     * @param end byte after the last
     * @param baseStart where its counterpart begins in the base
     * @param difference operation that fits the elements; empty for a run of bytes
     */
    record Segment(long start, long end, long baseStart, Optional<DeltaOp> difference) {}

    static List<Segment> of(Path base, Path next, long nextBytes) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            Optional<GgufFile> newer = gguf(next, arena);
            Optional<GgufFile> older = gguf(base, arena);
            if (newer.isEmpty() || older.isEmpty()) {
                return List.of(new Segment(0, nextBytes, 0, Optional.empty()));
            }
            return cut(older.get(), newer.get(), nextBytes);
        }
    }

    private static Optional<GgufFile> gguf(Path file, Arena arena) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            Verdict<GgufFile> read =
                    GgufReader.read(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
            return read instanceof Verdict.Accepted<GgufFile>(GgufFile gguf) ? Optional.of(gguf) : Optional.empty();
        }
    }

    private static List<Segment> cut(GgufFile older, GgufFile newer, long nextBytes) {
        Map<String, GgufTensor> byName = new HashMap<>();
        older.tensors().forEach(tensor -> byName.put(tensor.name(), tensor));
        List<GgufTensor> tensors = new ArrayList<>(newer.tensors());
        tensors.sort(Comparator.comparingLong(GgufTensor::offset));
        List<Segment> out = new ArrayList<>();
        long done = 0;
        long shift = 0;
        for (GgufTensor tensor : tensors) {
            GgufTensor counterpart = byName.get(tensor.name());
            boolean matched = counterpart != null
                    && counterpart.type() == tensor.type()
                    && counterpart.dims().equals(tensor.dims());
            if (!matched || counterpart == null || tensor.byteLength() < LARGE_BYTES) {
                continue;
            }
            if (tensor.offset() > done) {
                out.add(new Segment(done, tensor.offset(), done + shift, Optional.empty()));
            }
            long end = tensor.offset() + tensor.byteLength();
            out.add(new Segment(tensor.offset(), end, counterpart.offset(), difference(tensor.type())));
            // What follows a matched tensor most likely follows it in the base, too.
            shift = counterpart.offset() - tensor.offset();
            done = end;
        }
        if (done < nextBytes) {
            out.add(new Segment(done, nextBytes, done + shift, Optional.empty()));
        }
        return out;
    }

    private static Optional<DeltaOp> difference(GgmlType type) {
        return switch (type) {
            case Q8_0 -> Optional.of(DeltaOp.QDIFF_Q8_0);
            case F16, BF16 -> Optional.of(DeltaOp.DIFF_16);
            case F32 -> Optional.of(DeltaOp.DIFF_32);
            default -> Optional.empty();
        };
    }
}
