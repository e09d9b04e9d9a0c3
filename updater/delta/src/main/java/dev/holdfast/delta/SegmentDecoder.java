package dev.holdfast.delta;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes segments. Keeps the tables of the tensor that it saw last, at most 5 MiB, since segments of one tensor follow each
 * other. Not thread-safe: one for each thread.
 */
final class SegmentDecoder {
    private final PatchPlan plan;
    private int loaded = -1;
    private @Nullable Prediction prediction;
    private List<int[]> slots = List.of();

    SegmentDecoder(PatchPlan plan) {
        this.plan = plan;
    }

    /** Makes the output of one segment out of its source range and {@code payload[from .. from + payloadBytes]}. */
    byte[] decode(Segment segment, byte[] source, byte[] payload, int from) throws RejectedException {
        int end = from + segment.payloadBytes();
        int length = segment.outputBytes();
        return switch (segment.op()) {
            case RAW -> {
                requireLength(segment, length);
                yield java.util.Arrays.copyOfRange(payload, from, end);
            }
            case COPY -> {
                requireLength(segment, 0);
                yield source;
            }
            case ZSTD -> Zstd.expand(payload, from, segment.payloadBytes(), length, Code.DLT_PAYLOAD);
            case DIFF -> {
                byte[] out = Zstd.expand(payload, from, segment.payloadBytes(), length, Code.DLT_PAYLOAD);
                for (int i = 0; i < length; i++) {
                    out[i] += source[i];
                }
                yield out;
            }
            case SPARSE -> {
                byte[] out = source.clone();
                SparseRuns.apply(payload, from, end, out);
                yield out;
            }
            case QDIFF, FDIFF -> tensor(segment, source, payload, from, end);
        };
    }

    private byte[] tensor(Segment segment, byte[] source, byte[] payload, int from, int end) throws RejectedException {
        Prediction current = prediction;
        if (current == null || loaded != segment.model()) {
            PatchPlan.Model model = plan.model(segment.model());
            current = model.prediction();
            prediction = current;
            slots = model.frequencies().stream().map(Frequencies::slots).toList();
            loaded = segment.model();
        }
        List<RansDecoder> streams = new ArrayList<>();
        int at = from;
        for (int[] table : slots) {
            RansDecoder stream = new RansDecoder(table, payload, at, end);
            streams.add(stream);
            at = stream.end();
        }
        if (at != end) {
            throw new RejectedException(Code.DLT_PAYLOAD, "bytes after the last stream", at);
        }
        byte[] out = new byte[segment.outputBytes()];
        new TensorCodec(
                        current,
                        true,
                        (stream, contexts, predicted, residuals, n) ->
                                streams.get(stream).get(contexts, residuals, n))
                .walk(source, out, segment.first());
        for (RansDecoder stream : streams) {
            stream.requireEnd();
        }
        return out;
    }

    private static void requireLength(Segment segment, int bytes) throws RejectedException {
        if (segment.payloadBytes() != bytes) {
            throw new RejectedException(Code.DLT_PAYLOAD, segment.op() + " with a payload of another length");
        }
    }
}
