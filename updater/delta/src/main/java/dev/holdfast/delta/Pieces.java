package dev.holdfast.delta;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufReader;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Cuts the next file into pieces and finds each its counterpart in the base: tensors by name, renamed ones by likeness,
 * everything else (head, tokenizer, padding, files that are not GGUF files) by equal runs of bytes.
 */
final class Pieces {
    private static final int SAMPLE_WEIGHTS = 4096;
    /** Tensors that correlate less are no versions of each other. */
    private static final double MIN_LIKENESS = 0.5;

    private final FileChannel base;
    private final FileChannel next;
    private final List<Piece> pieces = new ArrayList<>();

    private Pieces(FileChannel base, FileChannel next) {
        this.base = base;
        this.next = next;
    }

    static List<Piece> of(FileChannel base, FileChannel next) throws IOException {
        Pieces cut = new Pieces(base, next);
        try (Arena arena = Arena.ofConfined()) {
            Optional<GgufFile> older = gguf(base, arena);
            Optional<GgufFile> newer = gguf(next, arena);
            if (older.isPresent() && newer.isPresent()) {
                cut.tensors(older.get(), newer.get());
            } else {
                cut.bytes(0, next.size(), ByteMatches.index(base, 0, base.size()), "bytes");
            }
        }
        return cut.pieces;
    }

    private static Optional<GgufFile> gguf(FileChannel channel, Arena arena) throws IOException {
        if (channel.size() == 0) {
            return Optional.empty();
        }
        Verdict<GgufFile> read = GgufReader.read(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
        return read instanceof Verdict.Accepted<GgufFile>(GgufFile gguf) ? Optional.of(gguf) : Optional.empty();
    }

    private void tensors(GgufFile older, GgufFile newer) throws IOException {
        ByteMatches head = ByteMatches.index(base, 0, older.dataOffset());
        Map<String, GgufTensor> byName = new HashMap<>();
        older.tensors().forEach(tensor -> byName.put(tensor.name(), tensor));
        Set<String> kept = new HashSet<>();
        newer.tensors().forEach(tensor -> kept.add(tensor.name()));
        List<GgufTensor> gone = older.tensors().stream()
                .filter(tensor -> !kept.contains(tensor.name()))
                .toList();
        List<GgufTensor> tensors = new ArrayList<>(newer.tensors());
        tensors.sort(Comparator.comparingLong(GgufTensor::offset));
        long done = 0;
        for (GgufTensor tensor : tensors) {
            if (tensor.byteLength() == 0) {
                continue;
            }
            bytes(done, tensor.offset(), head, done == 0 ? "head" : "padding");
            done = tensor.offset() + tensor.byteLength();
            GgufTensor counterpart = byName.get(tensor.name());
            if (counterpart == null || !fits(counterpart, tensor)) {
                counterpart = like(tensor, gone).orElse(null);
            }
            if (counterpart == null) {
                pieces.add(new Piece(tensor.offset(), done, tensor.name(), -1, Optional.empty()));
            } else {
                boolean predicted = WeightReader.supports(tensor.type()) && WeightReader.supports(counterpart.type());
                pieces.add(new Piece(
                        tensor.offset(),
                        done,
                        tensor.name(),
                        counterpart.offset(),
                        predicted ? Optional.of(new Piece.Pair(counterpart, tensor)) : Optional.empty()));
            }
        }
        bytes(done, next.size(), head, "padding");
    }

    /** As many weights, and either of one type or both understood. */
    private static boolean fits(GgufTensor older, GgufTensor newer) {
        return older.elements() == newer.elements()
                && older.columns() == newer.columns()
                && (older.type() == newer.type()
                        || WeightReader.supports(older.type()) && WeightReader.supports(newer.type()));
    }

    private Optional<GgufTensor> like(GgufTensor tensor, List<GgufTensor> gone) throws IOException {
        GgufTensor best = null;
        double most = MIN_LIKENESS;
        for (GgufTensor candidate : gone) {
            if (fits(candidate, tensor) && candidate.byteLength() > 0) {
                double likeness = likeness(candidate, tensor);
                if (likeness > most) {
                    most = likeness;
                    best = candidate;
                }
            }
        }
        return Optional.ofNullable(best);
    }

    private double likeness(GgufTensor older, GgufTensor newer) throws IOException {
        int unit = Math.max(older.type().blockElements(), newer.type().blockElements());
        int n = (int) Math.min(SAMPLE_WEIGHTS, newer.elements() / unit * unit);
        if (!WeightReader.supports(older.type()) || n == 0) {
            byte[] a = Ranges.read(base, older.offset(), (int) Math.min(SAMPLE_WEIGHTS, older.byteLength()));
            byte[] b = Ranges.read(next, newer.offset(), a.length);
            return java.util.Arrays.equals(a, b) ? 1 : 0;
        }
        double[] a = sample(base, older, n);
        double[] b = sample(next, newer, n);
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int i = 0; i < n; i++) {
            ab += a[i] * b[i];
            aa += a[i] * a[i];
            bb += b[i] * b[i];
        }
        return aa == 0 || bb == 0 ? 0 : ab / Math.sqrt(aa * bb);
    }

    private static double[] sample(FileChannel file, GgufTensor tensor, int n) throws IOException {
        double[] weights = new double[n];
        byte[] bytes = Ranges.read(file, tensor.offset(), (int) tensor.type().bytesFor(n));
        new WeightReader(tensor.type(), bytes).read(0, n, weights);
        return weights;
    }

    /**
     * Stretches without an equal run still get a counterpart, at the alignment of the run before them: bytes that changed
     * everywhere in small ways differ little from what stood there.
     */
    private void bytes(long start, long end, ByteMatches matches, String label) throws IOException {
        long at = start;
        long shift = 0;
        for (ByteMatches.Match match : matches.find(next, start, end)) {
            between(at, match.start(), shift, label);
            pieces.add(new Piece(match.start(), match.end(), label, match.base(), Optional.empty()));
            at = match.end();
            shift = match.base() - match.start();
        }
        between(at, end, shift, label);
    }

    private void between(long start, long end, long shift, String label) throws IOException {
        long covered = Math.max(start, Math.min(end, base.size() - shift));
        if (start + shift >= 0 && covered > start) {
            pieces.add(new Piece(start, covered, label, start + shift, Optional.empty()));
        } else {
            covered = start;
        }
        if (end > covered) {
            pieces.add(new Piece(covered, end, label, -1, Optional.empty()));
        }
    }
}
