package dev.holdfast.gguf;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Progress;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Writes a model of floats anew with its matrices quantized. Vectors, and matrices whose rows are no whole blocks of any type,
 * become F32; rows that are no multiple of 256 take the type that GGML falls back to: Q5_0 for Q4_K, Q5_1 for Q5_K, Q8_0 for
 * Q6_K. Metadata is copied. Tensors are read from the mapped file row by row.
 */
public final class GgufQuantizer {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private GgufQuantizer() {}

    /**
     * What was written.
     *
     * @param bytes length of the file
     * @param tensors number of tensors by type
     */
    public record Summary(long bytes, Map<GgmlType, Integer> tensors) {
        public Summary {
            tensors = Map.copyOf(tensors);
        }
    }

    /**
     * Quantizes {@code from} into {@code to}, which is replaced.
     *
     * @return {@code GGUF-UNSUPPORTED} where the file is not of F32, F16 and BF16 or {@code type} has no quantizer, else the
     *     reader's refusals
     * @throws IOException when a file cannot be read or written
     */
    public static Verdict<Summary> quantize(Path from, Path to, GgmlType type) throws IOException {
        return quantize(from, to, type, Progress.SILENT);
    }

    /** The same, and says how far it is, in bytes of {@code from}. */
    public static Verdict<Summary> quantize(Path from, Path to, GgmlType type, Progress progress) throws IOException {
        if (!RowEncoder.supports(type)) {
            return Verdict.rejected(Code.GGUF_UNSUPPORTED, "no quantizer for " + type);
        }
        try (FileChannel channel = FileChannel.open(from, StandardOpenOption.READ);
                Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return switch (GgufReader.read(bytes)) {
                case Verdict.Rejected<GgufFile>(Rejection reason) -> new Verdict.Rejected<>(reason);
                case Verdict.Accepted<GgufFile>(GgufFile file) -> write(file, bytes, to, type, progress);
            };
        }
    }

    private static Verdict<Summary> write(GgufFile file, MemorySegment bytes, Path to, GgmlType type, Progress progress)
            throws IOException {
        long total = file.tensors().stream().mapToLong(GgufTensor::byteLength).sum();
        AtomicLong done = new AtomicLong();
        GgufWriter writer = new GgufWriter();
        file.metadata().forEach((key, value) -> {
            if (!key.equals("general.alignment")) {
                writer.put(key, value);
            }
        });
        Map<GgmlType, Integer> used = new EnumMap<>(GgmlType.class);
        try {
            for (GgufTensor tensor : file.tensors()) {
                GgmlType chosen = chosen(tensor, type);
                used.merge(chosen, 1, Integer::sum);
                long[] dims = tensor.dims().stream().mapToLong(Long::longValue).toArray();
                RowSource rows = rows(tensor, bytes);
                writer.tensor(
                        tensor.name(),
                        chosen,
                        (index, into) -> {
                            rows.row(index, into);
                            progress.at(done.addAndGet(tensor.rowBytes()), total);
                        },
                        dims);
            }
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
        writer.write(to);
        return Verdict.accepted(new Summary(java.nio.file.Files.size(to), used));
    }

    private static GgmlType chosen(GgufTensor tensor, GgmlType type) {
        if (tensor.dims().size() < 2 || tensor.rows() == 1) {
            return GgmlType.F32;
        }
        if (tensor.columns() % type.blockElements() == 0) {
            return type;
        }
        GgmlType fallback = switch (type) {
            case Q4_K -> GgmlType.Q5_0;
            case Q5_K -> GgmlType.Q5_1;
            case Q6_K -> GgmlType.Q8_0;
            default -> GgmlType.F32;
        };
        return tensor.columns() % fallback.blockElements() == 0 ? fallback : GgmlType.F32;
    }

    private static RowSource rows(GgufTensor tensor, MemorySegment bytes) throws RejectedException {
        long begin = tensor.offset();
        long row = tensor.rowBytes();
        return switch (tensor.type()) {
            case F32 ->
                (index, into) -> {
                    for (int i = 0; i < into.length; i++) {
                        into[i] = Float.intBitsToFloat(bytes.get(INT, begin + index * row + 4L * i));
                    }
                };
            case F16 ->
                (index, into) -> {
                    for (int i = 0; i < into.length; i++) {
                        into[i] = Float.float16ToFloat(bytes.get(SHORT, begin + index * row + 2L * i));
                    }
                };
            case BF16 ->
                (index, into) -> {
                    for (int i = 0; i < into.length; i++) {
                        into[i] = Float.intBitsToFloat(bytes.get(SHORT, begin + index * row + 2L * i) << 16);
                    }
                };
            default ->
                throw new RejectedException(
                        Code.GGUF_UNSUPPORTED, tensor.name() + " is " + tensor.type() + ": quantize from floats");
        };
    }
}
