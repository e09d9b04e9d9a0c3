package dev.holdfast.gguf;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a GGUF version 3 file: the same calls give the same bytes. Tensors are streamed row by row. Not thread-safe.
 */
public final class GgufWriter {
    private static final byte[] MAGIC = {'G', 'G', 'U', 'F'};

    private final Map<String, GgufValue> metadata = new LinkedHashMap<>();
    private final List<Entry> entries = new ArrayList<>();

    private record Entry(String name, GgmlType type, long[] dims, RowSource rows) {
        long byteLength() {
            long elements = 1;
            for (long dim : dims) {
                elements = Math.multiplyExact(elements, dim);
            }
            return type.bytesFor(elements);
        }

        long rowCount() {
            return byteLength() / type.bytesFor(dims[0]);
        }
    }

    /** Adds or replaces a metadata value. */
    public GgufWriter put(String key, GgufValue value) {
        metadata.put(key, value);
        return this;
    }

    public GgufWriter put(String key, String value) {
        return put(key, new GgufValue.Text(value));
    }

    /** An unsigned 32-bit number, as most keys have it. */
    public GgufWriter put(String key, int value) {
        return put(key, new GgufValue.Whole(GgufType.UINT32, value));
    }

    public GgufWriter put(String key, float value) {
        return put(key, new GgufValue.Real(GgufType.FLOAT32, value));
    }

    public GgufWriter put(String key, boolean value) {
        return put(key, new GgufValue.Flag(value));
    }

    /**
     * Adds a tensor of any type that has a quantizer: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, IQ4_NL.
     *
     * @param dims the row length first
     */
    public GgufWriter tensor(String name, GgmlType type, RowSource rows, long... dims) {
        if (!RowEncoder.supports(type) || dims[0] % type.blockElements() != 0) {
            throw new IllegalArgumentException(name + ": rows of " + dims[0] + " cannot be written as " + type);
        }
        entries.add(new Entry(name, type, dims.clone(), rows));
        return this;
    }

    /** Writes the file, replacing one that is there. */
    public void write(Path file) throws IOException {
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 16)) {
            Counter counted = new Counter(out);
            head(counted);
            counted.pad();
            for (Entry entry : entries) {
                data(entry, counted);
                counted.pad();
            }
        }
    }

    private void head(Counter out) throws IOException {
        out.bytes(MAGIC);
        out.i32(GgufLimits.VERSION);
        out.i64(entries.size());
        out.i64(metadata.size());
        for (Map.Entry<String, GgufValue> entry : metadata.entrySet()) {
            out.text(entry.getKey());
            value(entry.getValue(), out);
        }
        long offset = 0;
        for (Entry entry : entries) {
            out.text(entry.name);
            out.i32(entry.dims.length);
            for (long dim : entry.dims) {
                out.i64(dim);
            }
            out.i32(entry.type.id());
            out.i64(offset);
            offset = GgufReader.roundUp(offset + entry.byteLength(), GgufLimits.DEFAULT_ALIGNMENT);
        }
    }

    private static void value(GgufValue value, Counter out) throws IOException {
        switch (value) {
            case GgufValue.Whole(GgufType type, long number) -> {
                out.i32(type.ordinal());
                out.number(number, type.bytes());
            }
            case GgufValue.Real(GgufType type, double number) -> {
                out.i32(type.ordinal());
                out.number(
                        type == GgufType.FLOAT32
                                ? Float.floatToRawIntBits((float) number)
                                : Double.doubleToRawLongBits(number),
                        type.bytes());
            }
            case GgufValue.Flag(boolean flag) -> {
                out.i32(GgufType.BOOL.ordinal());
                out.number(flag ? 1 : 0, 1);
            }
            case GgufValue.Text(String text) -> {
                out.i32(GgufType.STRING.ordinal());
                out.text(text);
            }
            case GgufValue.Numbers(GgufType type, int size, MemorySegment data) -> {
                out.i32(GgufType.ARRAY.ordinal());
                out.i32(type.ordinal());
                out.i64(size);
                out.bytes(data.toArray(ValueLayout.JAVA_BYTE));
            }
            case GgufValue.Texts texts -> {
                out.i32(GgufType.ARRAY.ordinal());
                out.i32(GgufType.STRING.ordinal());
                out.i64(texts.size());
                out.bytes(texts.data().toArray(ValueLayout.JAVA_BYTE));
            }
        }
    }

    private static void data(Entry entry, Counter out) throws IOException {
        float[] row = new float[Math.toIntExact(entry.dims[0])];
        ByteBuffer encoded = ByteBuffer.allocate(Math.toIntExact(entry.type.bytesFor(row.length)))
                .order(ByteOrder.LITTLE_ENDIAN);
        for (long index = 0; index < entry.rowCount(); index++) {
            entry.rows.row(index, row);
            RowEncoder.encode(entry.type, row, encoded.clear());
            out.bytes(encoded.array());
        }
    }

    /** Counts bytes, because padding depends on the place. */
    private static final class Counter {
        private final OutputStream out;
        private long written;

        Counter(OutputStream out) {
            this.out = out;
        }

        void bytes(byte[] bytes) throws IOException {
            out.write(bytes);
            written += bytes.length;
        }

        void number(long value, int bytes) throws IOException {
            byte[] encoded = new byte[bytes];
            for (int i = 0; i < bytes; i++) {
                encoded[i] = (byte) (value >>> (8 * i));
            }
            bytes(encoded);
        }

        void i32(int value) throws IOException {
            number(value, 4);
        }

        void i64(long value) throws IOException {
            number(value, 8);
        }

        void text(String text) throws IOException {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            i64(utf8.length);
            bytes(utf8);
        }

        void pad() throws IOException {
            bytes(new byte[(int) (GgufReader.roundUp(written, GgufLimits.DEFAULT_ALIGNMENT) - written)]);
        }
    }
}
