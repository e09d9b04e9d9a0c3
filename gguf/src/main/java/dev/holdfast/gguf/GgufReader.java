package dev.holdfast.gguf;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads the head of a GGUF version 3 file from memory. The file is untrusted: every length is checked before it is
 * used, all arithmetic is exact, and a tensor whose bytes are not wholly inside the file, aligned and its own is
 * refused. Stateless.
 */
public final class GgufReader {
    /** "GGUF" as a little-endian number. */
    private static final int MAGIC = 0x46554747;

    private final GgufCursor in;
    private final long fileLength;
    private int textBytesTotal;
    private int textsTotal;

    private GgufReader(MemorySegment file) {
        this.in = new GgufCursor(file);
        this.fileLength = file.byteSize();
    }

    /** Reads a whole file that is mapped at {@code file}; array values of the answer are views on it. */
    public static Verdict<GgufFile> read(MemorySegment file) {
        return Verdict.of(() -> new GgufReader(file.asReadOnly()).file());
    }

    private GgufFile file() throws RejectedException {
        if (in.i32() != MAGIC) {
            throw new RejectedException(Code.GGUF_FORMAT, "the file does not begin with GGUF", 0);
        }
        int version = in.i32();
        if (version != GgufLimits.VERSION) {
            throw new RejectedException(Code.GGUF_FORMAT, "version " + version + ", only 3 is read", 4);
        }
        int tensorCount = (int) in.count(GgufLimits.MAX_TENSORS, "the number of tensors");
        int keyCount = (int) in.count(GgufLimits.MAX_KEYS, "the number of keys");
        Map<String, GgufValue> metadata = metadata(keyCount);
        int alignment = alignment(metadata);
        List<Draft> drafts = tensorTable(tensorCount);
        long dataOffset = roundUp(in.position(), alignment);
        List<GgufTensor> tensors = place(drafts, alignment, dataOffset);
        return new GgufFile(metadata, tensors, alignment, dataOffset, fileLength);
    }

    private Map<String, GgufValue> metadata(int count) throws RejectedException {
        Map<String, GgufValue> metadata = LinkedHashMap.newLinkedHashMap(Math.min(count, 64));
        for (int i = 0; i < count; i++) {
            String key = in.text(GgufLimits.MAX_KEY_BYTES, "a key");
            if (metadata.put(key, value(key)) != null) {
                throw in.malformed("the key " + key + " appears twice");
            }
        }
        return metadata;
    }

    private GgufValue value(String key) throws RejectedException {
        GgufType type = type(key);
        return switch (type) {
            case UINT8 -> new GgufValue.Whole(type, in.u8());
            case INT8 -> new GgufValue.Whole(type, (byte) in.u8());
            case UINT16 -> new GgufValue.Whole(type, Short.toUnsignedLong(in.i16()));
            case INT16 -> new GgufValue.Whole(type, in.i16());
            case UINT32 -> new GgufValue.Whole(type, Integer.toUnsignedLong(in.i32()));
            case INT32 -> new GgufValue.Whole(type, in.i32());
            case UINT64 -> new GgufValue.Whole(type, in.count(Long.MAX_VALUE, key));
            case INT64 -> new GgufValue.Whole(type, in.i64());
            case FLOAT32 -> new GgufValue.Real(type, Float.intBitsToFloat(in.i32()));
            case FLOAT64 -> new GgufValue.Real(type, Double.longBitsToDouble(in.i64()));
            case BOOL -> new GgufValue.Flag(flag(key));
            case STRING -> new GgufValue.Text(text(key));
            case ARRAY -> array(key);
        };
    }

    private GgufType type(String key) throws RejectedException {
        int id = in.i32();
        return GgufType.byId(id).orElseThrow(() -> in.malformed("the key " + key + " has the unknown type " + id));
    }

    private boolean flag(String key) throws RejectedException {
        int value = in.u8();
        if (value > 1) {
            throw in.malformed("the flag " + key + " is " + value);
        }
        return value == 1;
    }

    private String text(String key) throws RejectedException {
        long before = in.position();
        String text = in.text(GgufLimits.MAX_TEXT_BYTES, key);
        textBytesTotal += (int) (in.position() - before);
        if (textBytesTotal > GgufLimits.MAX_TEXT_BYTES_TOTAL) {
            throw new RejectedException(Code.GGUF_LIMIT, "the texts together are too long", before);
        }
        return text;
    }

    private GgufValue array(String key) throws RejectedException {
        GgufType type = type(key);
        int size = (int) in.count(GgufLimits.MAX_ARRAY, "the number of elements of " + key);
        if (type == GgufType.ARRAY) {
            throw new RejectedException(Code.GGUF_UNSUPPORTED, key + " is an array of arrays", in.position());
        }
        if (type == GgufType.STRING) {
            return texts(key, size);
        }
        return new GgufValue.Numbers(type, size, in.take((long) size * type.bytes()));
    }

    private GgufValue texts(String key, int size) throws RejectedException {
        textsTotal += size;
        if (textsTotal > GgufLimits.MAX_TEXTS_TOTAL) {
            throw new RejectedException(Code.GGUF_LIMIT, "too many texts", in.position());
        }
        // Grows with what is really there, so that a lying count buys no memory.
        long[] starts = new long[Math.min(size, 1024) + 1];
        long begin = in.position();
        for (int i = 0; i < size; i++) {
            in.take(in.count(GgufLimits.MAX_TEXT_BYTES, "the length of an element of " + key));
            if (i + 1 >= starts.length) {
                starts = Arrays.copyOf(starts, Math.min(2 * starts.length, size + 1));
            }
            starts[i + 1] = in.position() - begin;
        }
        return new GgufValue.Texts(in.between(begin, in.position()), starts);
    }

    private int alignment(Map<String, GgufValue> metadata) throws RejectedException {
        GgufValue value = metadata.get("general.alignment");
        if (value == null) {
            return GgufLimits.DEFAULT_ALIGNMENT;
        }
        if (value instanceof GgufValue.Whole(GgufType type, long number)
                && type == GgufType.UINT32
                && number >= 8
                && number <= GgufLimits.MAX_ALIGNMENT
                && Long.bitCount(number) == 1) {
            return (int) number;
        }
        throw in.malformed("general.alignment is not a power of two from 8 to " + GgufLimits.MAX_ALIGNMENT);
    }

    /** A row of the table whose place is not checked yet; {@code offset} counts from the start of tensor data. */
    private record Draft(String name, GgmlType type, List<Long> dims, long offset, long byteLength) {}

    private List<Draft> tensorTable(int count) throws RejectedException {
        List<Draft> drafts = new ArrayList<>(Math.min(count, 1024));
        Set<String> names = new HashSet<>();
        for (int i = 0; i < count; i++) {
            Draft draft = tensor();
            if (!names.add(draft.name)) {
                throw new RejectedException(
                        Code.GGUF_TENSOR, "the tensor " + draft.name + " appears twice", in.position());
            }
            drafts.add(draft);
        }
        return drafts;
    }

    private Draft tensor() throws RejectedException {
        String name = in.text(GgufLimits.MAX_NAME_BYTES, "a tensor name");
        int dimCount = in.i32();
        if (dimCount < 1 || dimCount > GgufLimits.MAX_DIMS) {
            throw new RejectedException(
                    Code.GGUF_TENSOR,
                    name + " has " + Integer.toUnsignedString(dimCount) + " dimensions",
                    in.position());
        }
        List<Long> dims = new ArrayList<>(dimCount);
        long elements = 1;
        for (int d = 0; d < dimCount; d++) {
            long length = in.i64();
            // The first test keeps the product itself from overflowing: no tensor has more elements than 2^53.
            if (length < 1 || length > (1L << 53) / elements) {
                throw new RejectedException(
                        Code.GGUF_TENSOR, name + " has a dimension of " + Long.toUnsignedString(length), in.position());
            }
            elements *= length;
            dims.add(length);
        }
        int typeId = in.i32();
        GgmlType type = GgmlType.byId(typeId)
                .orElseThrow(() -> new RejectedException(
                        Code.GGUF_UNSUPPORTED, name + " has the unknown type " + typeId, in.position()));
        if (dims.getFirst() % type.blockElements() != 0) {
            throw new RejectedException(
                    Code.GGUF_TENSOR, name + ": a row is not a whole number of " + type + " blocks", in.position());
        }
        return new Draft(name, type, dims, in.i64(), type.bytesFor(elements));
    }

    private List<GgufTensor> place(List<Draft> drafts, int alignment, long dataOffset) throws RejectedException {
        List<GgufTensor> tensors = new ArrayList<>(drafts.size());
        for (Draft draft : drafts) {
            long room = fileLength - dataOffset;
            if (draft.offset < 0
                    || draft.offset % alignment != 0
                    || draft.offset > room
                    || draft.byteLength > room - draft.offset) {
                throw new RejectedException(
                        Code.GGUF_TENSOR,
                        draft.name + " is not aligned or not inside the file",
                        Math.max(0, draft.offset));
            }
            tensors.add(
                    new GgufTensor(draft.name, draft.type, draft.dims, dataOffset + draft.offset, draft.byteLength));
        }
        List<GgufTensor> ordered = new ArrayList<>(tensors);
        ordered.sort(Comparator.comparingLong(GgufTensor::offset));
        for (int i = 1; i < ordered.size(); i++) {
            GgufTensor before = ordered.get(i - 1);
            if (before.offset() + before.byteLength() > ordered.get(i).offset()) {
                throw new RejectedException(
                        Code.GGUF_TENSOR,
                        before.name() + " overlaps " + ordered.get(i).name(),
                        ordered.get(i).offset());
            }
        }
        return tensors;
    }

    static long roundUp(long value, int alignment) {
        return (value + alignment - 1) / alignment * alignment;
    }
}
