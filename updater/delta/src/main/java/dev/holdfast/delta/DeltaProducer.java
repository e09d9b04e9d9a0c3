package dev.holdfast.delta;

import dev.holdfast.gguf.GgmlType;
import dev.holdfast.wire.Progress;
import dev.holdfast.wire.Sha256;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Makes patches: tensors are looked at once for their model and once to be coded, and for every segment the smallest of the
 * operations that fit wins. The same two files give the same patch, byte for byte. One thread; holds one tensor's counts and
 * one block, whatever the files' size.
 */
public final class DeltaProducer {
    /** Below this a tensor shares its model with others of its types: tables of its own would cost more than they save. */
    private static final long OWN_MODEL_BYTES = 64 * 1024;

    /** Plan bytes from which on models get the plainest contexts, so that the plan stays below its bound. */
    private static final int FULL_PLAN_BYTES = PatchPlan.MAX_BYTES / 2;

    private final FileChannel base;
    private final FileChannel next;
    private final Progress progress;
    private long planBytes;
    private final List<String> labels = new ArrayList<>();
    private final List<PatchPlan.Model> models = new ArrayList<>();
    private final List<Segment> segments = new ArrayList<>();
    private final List<byte[]> entries = new ArrayList<>();
    private final Map<DeltaOp, Integer> used = new EnumMap<>(DeltaOp.class);
    private final ByteArrayOutputStream output = new ByteArrayOutputStream();
    private final ByteArrayOutputStream payload = new ByteArrayOutputStream();
    private int open;

    private DeltaProducer(FileChannel base, FileChannel next, Progress progress) {
        this.base = base;
        this.next = next;
        this.progress = progress;
    }

    /** Writes the patch that turns {@code base} into {@code next}; both may be files of any kind. */
    public static DeltaSummary create(Path base, Path next, Path patch) throws IOException {
        return create(base, next, patch, Progress.SILENT);
    }

    public static DeltaSummary create(Path base, Path next, Path patch, Progress progress) throws IOException {
        Path payloads = patch.resolveSibling(patch.getFileName() + ".payloads");
        try (FileChannel older = FileChannel.open(base, StandardOpenOption.READ);
                FileChannel newer = FileChannel.open(next, StandardOpenOption.READ)) {
            DeltaProducer producer = new DeltaProducer(older, newer, progress);
            try (FileChannel out = create(payloads)) {
                producer.run(out);
            }
            byte[] plan = PatchPlan.write(producer.labels, producer.models, producer.segments);
            if (plan.length > PatchPlan.MAX_BYTES || producer.entries.size() > PatchHeader.MAX_BLOCKS) {
                throw new IOException("the file has more parts than a patch can hold");
            }
            byte[] head = PatchHeader.write(
                    Sha256.ofFile(base), older.size(), Sha256.ofFile(next), newer.size(), producer.entries, plan);
            try (FileChannel out = create(patch);
                    FileChannel in = FileChannel.open(payloads, StandardOpenOption.READ)) {
                write(out, head);
                for (long at = 0; at < in.size(); ) {
                    at += in.transferTo(at, in.size() - at, out);
                }
            }
            return new DeltaSummary(older.size(), newer.size(), Files.size(patch), producer.used);
        } finally {
            Files.deleteIfExists(payloads);
        }
    }

    private void run(FileChannel out) throws IOException {
        List<Piece> pieces = Pieces.of(base, next);
        Map<List<GgmlType>, Integer> shared = sharedModels(pieces);
        ModelBuilder builder = new ModelBuilder(base, next);
        for (Piece piece : pieces) {
            int model = -1;
            if (piece.tensors().isPresent()) {
                Piece.Pair pair = piece.tensors().get();
                if (piece.length() < OWN_MODEL_BYTES) {
                    model = shared.getOrDefault(types(pair), -1);
                } else if (models.size() < PatchPlan.MAX_MODELS) {
                    Optional<PatchPlan.Model> own = builder.of(pair, planBytes > FULL_PLAN_BYTES);
                    if (own.isPresent()) {
                        model = models.size();
                        models.add(own.get());
                        planBytes += PatchPlan.storedBytes(own.get());
                    }
                }
            }
            cut(piece, model, out);
        }
        flush(out);
    }

    private static List<GgmlType> types(Piece.Pair pair) {
        return List.of(pair.older().type(), pair.newer().type());
    }

    private Map<List<GgmlType>, Integer> sharedModels(List<Piece> pieces) throws IOException {
        Map<List<GgmlType>, List<Piece.Pair>> groups = new HashMap<>();
        List<List<GgmlType>> order = new ArrayList<>();
        for (Piece piece : pieces) {
            if (piece.tensors().isPresent() && piece.length() < OWN_MODEL_BYTES && differs(piece)) {
                List<GgmlType> types = types(piece.tensors().get());
                if (!groups.containsKey(types)) {
                    order.add(types);
                }
                groups.computeIfAbsent(types, key -> new ArrayList<>())
                        .add(piece.tensors().get());
            }
        }
        Map<List<GgmlType>, Integer> shared = new HashMap<>();
        for (List<GgmlType> types : order) {
            shared.put(types, models.size());
            models.add(new ModelBuilder(base, next).shared(groups.getOrDefault(types, List.of())));
        }
        return shared;
    }

    private boolean differs(Piece piece) throws IOException {
        Piece.Pair pair = piece.tensors().orElseThrow();
        return pair.older().byteLength() != piece.length()
                || !Arrays.equals(
                        Ranges.read(base, piece.base(), (int) piece.length()),
                        Ranges.read(next, piece.start(), (int) piece.length()));
    }

    /** Cuts a piece where blocks end, between whole blocks of weights. */
    private void cut(Piece piece, int model, FileChannel out) throws IOException {
        labels.add(piece.label());
        int unit = piece.tensors().map(Piece.Pair::unitBytes).orElse(1);
        int most = PatchHeader.MAX_OUTPUT_BYTES;
        if (piece.tensors().isPresent()) {
            Piece.Pair pair = piece.tensors().get();
            long sourceUnit = pair.older().type().bytesFor(pair.unitWeights());
            most = (int) Math.min(most, PatchHeader.MAX_SOURCE_BYTES / 2 / sourceUnit * unit);
        }
        for (long at = piece.start(); at < piece.end(); ) {
            long left = piece.end() - at;
            int room = Math.min(most, PatchHeader.MAX_OUTPUT_BYTES - output.size());
            int length = left <= room ? (int) left : room / unit * unit;
            if (length == 0) {
                flush(out);
                continue;
            }
            segment(piece, model, at, length);
            at += length;
            if (output.size() > PatchHeader.MAX_OUTPUT_BYTES - 256 || open >= 4096) {
                flush(out);
            }
        }
    }

    private void segment(Piece piece, int model, long at, int length) throws IOException {
        byte[] fresh = Ranges.read(next, at, length);
        Choice best = new Choice(DeltaOp.RAW, fresh, 0).orSmaller(DeltaOp.ZSTD, Zstd.compress(fresh), 0);
        long first = 0;
        if (piece.tensors().isPresent()) {
            Piece.Pair pair = piece.tensors().get();
            first = (at - piece.start())
                    / pair.newer().type().blockBytes()
                    * pair.newer().type().blockElements();
            long weights = (long) length
                    / pair.newer().type().blockBytes()
                    * pair.newer().type().blockElements();
            long source = piece.base() + pair.older().type().bytesFor(first);
            byte[] old = Ranges.read(
                    base, source, Math.toIntExact(pair.older().type().bytesFor(weights)));
            if (pair.older().type() == pair.newer().type()) {
                best = bytewise(best, old, fresh, source);
            }
            if (best.op != DeltaOp.COPY && model >= 0) {
                DeltaOp op = Floats.isFloat(pair.newer().type()) ? DeltaOp.FDIFF : DeltaOp.QDIFF;
                best = best.orSmaller(op, encode(models.get(model), old, fresh, first), source);
            }
        } else if (piece.base() >= 0) {
            long source = piece.base() + at - piece.start();
            byte[] old = Ranges.read(base, source, length);
            best = bytewise(best, old, fresh, source);
            if (best.op != DeltaOp.COPY) {
                byte[] difference = new byte[length];
                for (int i = 0; i < length; i++) {
                    difference[i] = (byte) (fresh[i] - old[i]);
                }
                best = best.orSmaller(DeltaOp.DIFF, Zstd.compress(difference), source);
            }
        }
        segments.add(new Segment(
                best.op,
                best.op.isTensor() ? model : -1,
                labels.size() - 1,
                length,
                best.payload.length,
                best.op.readsBase() ? best.source : 0,
                best.op.isTensor() ? first : 0));
        used.merge(best.op, 1, Integer::sum);
        output.writeBytes(fresh);
        payload.writeBytes(best.payload);
        open++;
    }

    private static Choice bytewise(Choice best, byte[] old, byte[] fresh, long source) {
        if (Arrays.equals(old, fresh)) {
            return best.orSmaller(DeltaOp.COPY, new byte[0], source);
        }
        return best.orSmaller(DeltaOp.SPARSE, SparseRuns.encode(old, fresh, best.payload.length), source);
    }

    private static byte[] encode(PatchPlan.Model model, byte[] old, byte[] fresh, long first) {
        List<RansEncoder> streams =
                model.frequencies().stream().map(RansEncoder::new).toList();
        TensorCodec codec = new TensorCodec(model.prediction(), false, (stream, contexts, predicted, residuals, n) -> {
            RansEncoder encoder = streams.get(stream);
            for (int i = 0; i < n; i++) {
                encoder.put(contexts[i], residuals[i]);
            }
        });
        ModelBuilder.walk(codec, old, fresh, first);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        streams.forEach(stream -> stream.writeTo(out));
        return out.toByteArray();
    }

    private void flush(FileChannel out) throws IOException {
        if (open == 0) {
            return;
        }
        byte[] bytes = payload.toByteArray();
        entries.add(PatchHeader.entry(open, output.toByteArray(), bytes));
        write(out, bytes);
        output.reset();
        payload.reset();
        open = 0;
        progress.at(entries.size() * (long) PatchHeader.MAX_OUTPUT_BYTES, next.size());
    }

    /** The best operation so far. */
    private record Choice(DeltaOp op, byte[] payload, long source) {
        Choice orSmaller(DeltaOp other, byte[] bytes, long from) {
            return bytes.length < payload.length ? new Choice(other, bytes, from) : this;
        }
    }

    private static FileChannel create(Path file) throws IOException {
        return FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
    }

    private static void write(FileChannel out, byte[] bytes) throws IOException {
        for (ByteBuffer left = ByteBuffer.wrap(bytes); left.hasRemaining(); ) {
            out.write(left);
        }
    }
}
