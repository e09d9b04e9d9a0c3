package dev.holdfast.delta;

import dev.holdfast.gguf.GgmlType;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * What the blocks of a patch are made of: names of tensors, models of tensors, segments. Everything that a decoder relies on
 * is checked when the plan is read; models are parsed again when they are needed, so that many of them cost no memory.
 *
 * <pre>
 * i32 labels     each: u16 length, UTF-8
 * i32 models     each: u8 from, u8 to, i32 columns, u8 activity, i16 quant offset, i16 float offset,
 *                      with full activity: i32 rows, rows and columns as nibbles + 8; then a frequency table per stream
 * i32 segments   each: u8 op, i32 model, i32 label, i32 output, i32 payload, i64 source, i64 first weight
 * </pre>
 *
 * All numbers are big-endian.
 */
final class PatchPlan {
    static final int MAX_BYTES = 16 << 20;
    private static final int MAX_LABELS = 1 << 16;
    private static final int MAX_LABEL_BYTES = 1024;
    static final int MAX_MODELS = 1 << 14;
    static final int MAX_SEGMENTS = 1 << 17;
    /** Most weights of a tensor; keeps products within 63 bits. */
    private static final long MAX_WEIGHTS = 1L << 40;

    /** A prediction and the tables of its streams. */
    record Model(Prediction prediction, List<Frequencies> frequencies) {}

    private final ByteBuffer bytes;
    private final List<String> labels = new ArrayList<>();
    private final List<Integer> models = new ArrayList<>();
    private final List<Segment> segments = new ArrayList<>();
    private final List<GgmlType> sourceTypes = new ArrayList<>();
    private final List<GgmlType> types = new ArrayList<>();

    private PatchPlan(ByteBuffer bytes) {
        this.bytes = bytes;
    }

    List<Segment> segments() {
        return segments;
    }

    String label(int index) {
        return labels.get(index);
    }

    int modelCount() {
        return models.size();
    }

    /** Parses a model; it was found well-formed when the plan was read. */
    Model model(int index) throws RejectedException {
        return readModel(bytes.duplicate().position(models.get(index)));
    }

    // --- writing ---

    static byte[] write(List<String> labels, List<Model> models, List<Segment> segments) {
        int size = 12 + segments.size() * Segment.STORED_BYTES;
        for (String label : labels) {
            size += 2 + label.getBytes(StandardCharsets.UTF_8).length;
        }
        for (Model model : models) {
            size += storedBytes(model);
        }
        ByteBuffer out = ByteBuffer.allocate(size);
        out.putInt(labels.size());
        for (String label : labels) {
            byte[] utf8 = label.getBytes(StandardCharsets.UTF_8);
            out.putShort((short) utf8.length).put(utf8);
        }
        out.putInt(models.size());
        models.forEach(model -> write(model, out));
        out.putInt(segments.size());
        for (Segment segment : segments) {
            out.put((byte) segment.op().number()).putInt(segment.model()).putInt(segment.label());
            out.putInt(segment.outputBytes()).putInt(segment.payloadBytes());
            out.putLong(segment.source()).putLong(segment.first());
        }
        return out.array();
    }

    static int storedBytes(Model model) {
        Prediction prediction = model.prediction();
        int size = 11;
        if (prediction.activity() == Prediction.Activity.FULL) {
            size += 4 + (prediction.rows().length + 1) / 2 + (prediction.cols().length + 1) / 2;
        }
        for (Frequencies table : model.frequencies()) {
            size += table.storedBytes();
        }
        return size;
    }

    static void write(Model model, ByteBuffer out) {
        Prediction prediction = model.prediction();
        out.put((byte) prediction.from().id()).put((byte) prediction.to().id()).putInt(prediction.columns());
        out.put((byte) prediction.activity().ordinal());
        out.putShort((short) prediction.quantOffset()).putShort((short) prediction.floatOffset());
        if (prediction.activity() == Prediction.Activity.FULL) {
            out.putInt(prediction.rows().length);
            nibbles(prediction.rows(), out);
            nibbles(prediction.cols(), out);
        }
        model.frequencies().forEach(table -> table.write(out));
    }

    private static void nibbles(byte[] values, ByteBuffer out) {
        for (int i = 0; i < values.length; i += 2) {
            int next = i + 1 < values.length ? values[i + 1] + 8 : 0;
            out.put((byte) (values[i] + 8 | next << 4));
        }
    }

    // --- reading ---

    static PatchPlan read(byte[] raw) throws RejectedException {
        ByteBuffer in = ByteBuffer.wrap(raw);
        PatchPlan plan = new PatchPlan(in.duplicate());
        for (int left = count(in, MAX_LABELS, "labels"); left > 0; left--) {
            require(in, 2);
            int length = in.getShort() & 0xffff;
            if (length > MAX_LABEL_BYTES) {
                throw wrong("a label is too long", in);
            }
            require(in, length);
            plan.labels.add(new String(raw, in.position(), length, StandardCharsets.UTF_8));
            in.position(in.position() + length);
        }
        List<Prediction> predictions = new ArrayList<>();
        for (int left = count(in, MAX_MODELS, "models"); left > 0; left--) {
            plan.models.add(in.position());
            Prediction prediction = readModel(in).prediction();
            predictions.add(prediction);
            plan.sourceTypes.add(prediction.from());
            plan.types.add(prediction.to());
        }
        for (int left = count(in, MAX_SEGMENTS, "segments"); left > 0; left--) {
            plan.segments.add(readSegment(in, plan, predictions));
        }
        if (in.hasRemaining()) {
            throw wrong("bytes after the last segment", in);
        }
        return plan;
    }

    private static Segment readSegment(ByteBuffer in, PatchPlan plan, List<Prediction> predictions)
            throws RejectedException {
        require(in, Segment.STORED_BYTES);
        DeltaOp op = DeltaOp.byNumber(in.get() & 0xff).orElseThrow(() -> wrong("reserved operation", in));
        Segment segment =
                new Segment(op, in.getInt(), in.getInt(), in.getInt(), in.getInt(), in.getLong(), in.getLong());
        if (segment.label() < 0 || segment.label() >= plan.labels.size()) {
            throw wrong("a segment without a label", in);
        }
        if (segment.outputBytes() < 1
                || segment.outputBytes() > PatchHeader.MAX_OUTPUT_BYTES
                || segment.payloadBytes() < 0
                || segment.payloadBytes() > segment.outputBytes()
                || segment.source() < 0) {
            throw wrong("a segment's lengths", in);
        }
        if (!op.isTensor()) {
            return segment;
        }
        if (segment.model() < 0 || segment.model() >= predictions.size()) {
            throw wrong("a segment without a model", in);
        }
        Prediction prediction = predictions.get(segment.model());
        GgmlType to = prediction.to();
        long weights = weights(segment, prediction);
        boolean whole = segment.outputBytes() % to.blockBytes() == 0
                && weights % prediction.from().blockElements() == 0
                && segment.first() % to.blockElements() == 0;
        boolean inside = segment.first() >= 0
                && segment.first() <= MAX_WEIGHTS
                && (prediction.activity() != Prediction.Activity.FULL
                        || segment.first() + weights <= (long) prediction.rows().length * prediction.columns());
        if (!whole || !inside || (op == DeltaOp.FDIFF) != Floats.isFloat(to)) {
            throw wrong("a segment that does not fit its model", in);
        }
        return segment;
    }

    /** Length of a segment's source range, 0 where it has none. */
    long sourceBytes(Segment segment) {
        if (!segment.op().readsBase()) {
            return 0;
        }
        if (!segment.op().isTensor()) {
            return segment.outputBytes();
        }
        GgmlType to = types.get(segment.model());
        return sourceTypes
                .get(segment.model())
                .bytesFor((long) segment.outputBytes() / to.blockBytes() * to.blockElements());
    }

    private static long weights(Segment segment, Prediction prediction) {
        return (long) segment.outputBytes()
                / prediction.to().blockBytes()
                * prediction.to().blockElements();
    }

    private static Model readModel(ByteBuffer in) throws RejectedException {
        require(in, 11);
        GgmlType from = type(in);
        GgmlType to = type(in);
        int columns = in.getInt();
        int activity = in.get();
        int quantOffset = in.getShort();
        int floatOffset = in.getShort();
        if (columns < 1 || columns % to.blockElements() != 0 || activity < 0 || activity > 2) {
            throw wrong("a model's numbers", in);
        }
        byte[] rows = {};
        byte[] cols = {};
        if (activity == Prediction.Activity.FULL.ordinal()) {
            require(in, 4);
            rows = nibbles(in, in.getInt());
            cols = nibbles(in, columns);
        }
        Prediction prediction = new Prediction(
                from, to, columns, Prediction.Activity.values()[activity], quantOffset, floatOffset, rows, cols);
        List<Frequencies> frequencies = new ArrayList<>();
        for (int contexts : prediction.streams()) {
            frequencies.add(Frequencies.read(in, contexts));
        }
        return new Model(prediction, frequencies);
    }

    private static GgmlType type(ByteBuffer in) throws RejectedException {
        GgmlType type = GgmlType.byId(in.get() & 0xff).orElseThrow(() -> wrong("unknown type", in));
        if (!WeightReader.supports(type)) {
            throw wrong("no layout for " + type, in);
        }
        return type;
    }

    private static byte[] nibbles(ByteBuffer in, int count) throws RejectedException {
        if (count < 0 || in.remaining() < (count + 1L) / 2) {
            throw wrong("classes are cut off", in);
        }
        byte[] values = new byte[count];
        for (int i = 0; i < count; i += 2) {
            int pair = in.get();
            values[i] = (byte) ((pair & 15) - 8);
            if (i + 1 < count) {
                values[i + 1] = (byte) ((pair >> 4 & 15) - 8);
            }
        }
        return values;
    }

    private static int count(ByteBuffer in, int max, String what) throws RejectedException {
        require(in, 4);
        int count = in.getInt();
        if (count < 0 || count > max) {
            throw wrong("number of " + what, in);
        }
        return count;
    }

    static void require(ByteBuffer in, int bytes) throws RejectedException {
        if (in.remaining() < bytes) {
            throw wrong("the plan is cut off", in);
        }
    }

    private static RejectedException wrong(String what, ByteBuffer in) {
        return new RejectedException(Code.DLT_FORMAT, "plan: " + what, in.position());
    }
}
