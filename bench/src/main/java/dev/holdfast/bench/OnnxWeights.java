package dev.holdfast.bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * The float initializers of an ONNX model inside a jar. Reads the three nested messages that lead to them and passes over
 * everything else: ModelProto.graph (7), GraphProto.initializer (5), TensorProto dims (1), data_type (2), name (8) and
 * raw_data (9).
 */
final class OnnxWeights {
    private static final int FLOAT = 1;

    /** One matrix or vector, rows one after the other. */
    record Tensor(String name, long[] dims, float[] values) {}

    private OnnxWeights() {}

    static List<Tensor> read(Path jar, String entryName) throws IOException {
        try (ZipFile zip = new ZipFile(jar.toFile())) {
            ZipEntry entry = zip.getEntry(entryName);
            if (entry == null) {
                throw new IOException(jar.getFileName() + " has no " + entryName);
            }
            try (InputStream in = zip.getInputStream(entry)) {
                ByteBuffer model = ByteBuffer.wrap(in.readAllBytes()).order(ByteOrder.LITTLE_ENDIAN);
                List<Tensor> tensors = new ArrayList<>();
                each(model, (field, value) -> {
                    if (field == 7) {
                        each(value, (inner, initializer) -> {
                            if (inner == 5) {
                                tensor(initializer, tensors);
                            }
                        });
                    }
                });
                return tensors;
            }
        }
    }

    private static void tensor(ByteBuffer message, List<Tensor> out) {
        List<Long> dims = new ArrayList<>();
        long[] type = {0};
        String[] name = {""};
        ByteBuffer[] raw = {ByteBuffer.allocate(0)};
        numbers(message.duplicate().order(ByteOrder.LITTLE_ENDIAN), (field, number) -> {
            if (field == 1) {
                dims.add(number);
            } else if (field == 2) {
                type[0] = number;
            }
        });
        each(message, (field, value) -> {
            switch (field) {
                case 1 -> {
                    while (value.hasRemaining()) {
                        dims.add(varint(value));
                    }
                }
                case 8 -> name[0] = StandardCharsets.UTF_8.decode(value).toString();
                case 9 -> raw[0] = value;
                default -> {}
            }
        });
        if (type[0] == FLOAT && raw[0].hasRemaining()) {
            float[] values = new float[raw[0].remaining() / 4];
            raw[0].asFloatBuffer().get(values);
            out.add(new Tensor(name[0], dims.stream().mapToLong(Long::longValue).toArray(), values));
        }
    }

    private interface Field {
        void is(int field, ByteBuffer value);
    }

    private interface Number {
        void is(int field, long value);
    }

    private static void each(ByteBuffer message, Field visitor) {
        fields(message, visitor, (field, number) -> {});
    }

    private static void numbers(ByteBuffer message, Number visitor) {
        fields(message, (field, value) -> {}, visitor);
    }

    /** Protocol Buffers wire format: a varint key of field number and wire type, then a value of that type. */
    private static void fields(ByteBuffer message, Field bytes, Number numbers) {
        ByteBuffer in = message.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        while (in.hasRemaining()) {
            long key = varint(in);
            int field = (int) (key >>> 3);
            switch ((int) key & 7) {
                case 0 -> numbers.is(field, varint(in));
                case 1 -> in.position(in.position() + 8);
                case 2 -> {
                    int length = Math.toIntExact(varint(in));
                    bytes.is(field, in.slice(in.position(), length).order(ByteOrder.LITTLE_ENDIAN));
                    in.position(in.position() + length);
                }
                case 5 -> in.position(in.position() + 4);
                default -> throw new IllegalArgumentException("wire type " + (key & 7));
            }
        }
    }

    private static long varint(ByteBuffer in) {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            byte next = in.get();
            value |= (next & 127L) << shift;
            if (next >= 0) {
                return value;
            }
        }
        throw new IllegalArgumentException("a varint of more than ten bytes");
    }
}
