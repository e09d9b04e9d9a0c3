package dev.holdfast.delta;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;

/**
 * Head, block table and plan of an {@code hfd2} patch, all numbers big-endian:
 *
 * <pre>
 *  0  "HFD2"      4  u16 version 2     6  u16 flags 0
 *  8  base SHA-256 (32)   40  i64 base length
 * 48  result SHA-256 (32) 80  i64 result length
 * 88  i32 block count     92  i32 length of the plan as stored    96  i32 length of the plan
 * 100 block table, 76 bytes each:
 *       0 i32 segments  4 i32 output length  8 i32 payload length  12 payload SHA-256 (32)  44 output SHA-256 (32)
 *     plan, one zstd frame ({@link PatchPlan})
 *     SHA-256 of everything before (32)
 *     payloads, one after the other
 * </pre>
 *
 * Blocks take the plan's segments in order; offsets are sums, so blocks can neither overlap nor leave holes.
 */
final class PatchHeader {
    static final int MAGIC = 0x48464432;
    static final int VERSION = 2;
    static final int HEAD_BYTES = 100;
    static final int ENTRY_BYTES = 76;
    /** Output of one block; keeps a block's buffers far below the applier's bound. */
    static final int MAX_OUTPUT_BYTES = 1 << 20;
    /** Source ranges of one block; those of a wider type may be longer than what is made of them. */
    static final int MAX_SOURCE_BYTES = 8 << 20;
    /** Results up to 16 GiB and more; the table then takes 1.2 MB. */
    static final int MAX_BLOCKS = 1 << 15;

    /** One block, its place in both files computed. */
    record Block(
            List<Segment> segments,
            long outputOffset,
            int outputBytes,
            long payloadOffset,
            int payloadBytes,
            Sha256 payloadHash,
            Sha256 outputHash) {}

    private final ByteBuffer bytes;
    private final PatchPlan plan;
    private final int blockCount;
    private final int[] firstSegments;
    private final long[] outputOffsets;
    private final long[] payloadOffsets;

    private PatchHeader(ByteBuffer bytes, PatchPlan plan, long patchBytes) throws RejectedException {
        this.bytes = bytes;
        this.plan = plan;
        this.blockCount = bytes.getInt(88);
        this.firstSegments = new int[blockCount + 1];
        this.outputOffsets = new long[blockCount + 1];
        this.payloadOffsets = new long[blockCount + 1];
        payloadOffsets[0] = bytes.capacity();
        for (int i = 0; i < blockCount; i++) {
            check(i);
        }
        if (outputOffsets[blockCount] != resultBytes()
                || payloadOffsets[blockCount] != patchBytes
                || firstSegments[blockCount] != plan.segments().size()) {
            throw wrong("blocks do not add up to the files' lengths", 88);
        }
    }

    static Verdict<PatchHeader> read(Path patch) throws IOException {
        try (FileChannel channel = FileChannel.open(patch, StandardOpenOption.READ)) {
            ByteBuffer head = read(channel, HEAD_BYTES);
            return head.hasRemaining()
                    ? Verdict.rejected(Code.DLT_FORMAT, "shorter than a head")
                    : readTable(channel, head);
        }
    }

    private static Verdict<PatchHeader> readTable(FileChannel channel, ByteBuffer head) throws IOException {
        int count = head.getInt(88);
        int stored = head.getInt(92);
        int raw = head.getInt(96);
        if (head.getInt(0) != MAGIC || head.getInt(4) != VERSION << 16) {
            return Verdict.rejected(Code.DLT_FORMAT, "no hfd2 patch of version " + VERSION);
        }
        if (count < 0
                || count > MAX_BLOCKS
                || stored < 0
                || stored > PatchPlan.MAX_BYTES
                || raw < 0
                || raw > PatchPlan.MAX_BYTES
                || head.getLong(40) < 0
                || head.getLong(80) < 0) {
            return Verdict.rejected(Code.DLT_FORMAT, "a length is out of range");
        }
        long length = HEAD_BYTES + (long) count * ENTRY_BYTES + stored + Sha256.BYTES;
        if (length > channel.size()) {
            return Verdict.rejected(Code.DLT_FORMAT, "table and plan are cut off");
        }
        ByteBuffer all = read(channel, (int) length);
        int body = all.capacity() - Sha256.BYTES;
        byte[] array = all.array();
        if (!Arrays.equals(
                Sha256.of(Arrays.copyOf(array, body)).toArray(), Arrays.copyOfRange(array, body, array.length))) {
            return Verdict.rejected(Code.DLT_FORMAT, "head, table and plan do not match their hash");
        }
        long patchBytes = channel.size();
        return Verdict.of(() -> new PatchHeader(
                all, PatchPlan.read(Zstd.expand(array, body - stored, stored, raw, Code.DLT_FORMAT)), patchBytes));
    }

    private static ByteBuffer read(FileChannel channel, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining() && channel.read(buffer, buffer.position()) >= 0) {
            // Until the range is read or the file ends.
        }
        return buffer;
    }

    private void check(int index) throws RejectedException {
        int at = entry(index);
        int segments = bytes.getInt(at);
        int output = bytes.getInt(at + 4);
        int payload = bytes.getInt(at + 8);
        if (segments < 1 || segments > plan.segments().size() - firstSegments[index]) {
            throw wrong("number of segments", at);
        }
        if (output < 1 || output > MAX_OUTPUT_BYTES || payload < 0 || payload > output) {
            throw wrong("lengths of a block", at + 4);
        }
        firstSegments[index + 1] = firstSegments[index] + segments;
        long outputs = 0;
        long payloads = 0;
        long sources = 0;
        for (Segment segment : plan.segments().subList(firstSegments[index], firstSegments[index + 1])) {
            outputs += segment.outputBytes();
            payloads += segment.payloadBytes();
            long source = plan.sourceBytes(segment);
            sources += source;
            if (segment.source() > baseBytes() - source) {
                throw wrong("source range", at);
            }
        }
        if (outputs != output || payloads != payload || sources > MAX_SOURCE_BYTES) {
            throw wrong("segments do not add up to their block", at);
        }
        outputOffsets[index + 1] = outputOffsets[index] + output;
        payloadOffsets[index + 1] = payloadOffsets[index] + payload;
    }

    private static RejectedException wrong(String what, long offset) {
        return new RejectedException(Code.DLT_FORMAT, what, offset);
    }

    private static int entry(int index) {
        return HEAD_BYTES + index * ENTRY_BYTES;
    }

    PatchPlan plan() {
        return plan;
    }

    int blockCount() {
        return blockCount;
    }

    Block block(int index) {
        int at = entry(index);
        return new Block(
                plan.segments().subList(firstSegments[index], firstSegments[index + 1]),
                outputOffsets[index],
                bytes.getInt(at + 4),
                payloadOffsets[index],
                bytes.getInt(at + 8),
                hash(at + 12),
                hash(at + 44));
    }

    /** Head, table, plan and hash for blocks whose payloads follow. */
    static byte[] write(
            Sha256 base, long baseBytes, Sha256 result, long resultBytes, List<byte[]> entries, byte[] plan) {
        byte[] stored = Zstd.compress(plan);
        ByteBuffer head = ByteBuffer.allocate(HEAD_BYTES + entries.size() * ENTRY_BYTES + stored.length + Sha256.BYTES);
        head.putInt(MAGIC).putShort((short) VERSION).putShort((short) 0);
        head.put(base.toArray()).putLong(baseBytes);
        head.put(result.toArray()).putLong(resultBytes);
        head.putInt(entries.size()).putInt(stored.length).putInt(plan.length);
        entries.forEach(head::put);
        head.put(stored);
        return head.put(Sha256.of(Arrays.copyOf(head.array(), head.position())).toArray())
                .array();
    }

    /** A row of the block table. */
    static byte[] entry(int segments, byte[] output, byte[] payload) {
        return ByteBuffer.allocate(ENTRY_BYTES)
                .putInt(segments)
                .putInt(output.length)
                .putInt(payload.length)
                .put(Sha256.of(payload).toArray())
                .put(Sha256.of(output).toArray())
                .array();
    }

    private Sha256 hash(int at) {
        return new Sha256(Binary.copyOf(bytes.array(), at, Sha256.BYTES));
    }

    Sha256 base() {
        return hash(8);
    }

    long baseBytes() {
        return bytes.getLong(40);
    }

    Sha256 result() {
        return hash(48);
    }

    long resultBytes() {
        return bytes.getLong(80);
    }

    /** The hash of head, table and plan. */
    Sha256 digest() {
        return hash(bytes.capacity() - Sha256.BYTES);
    }
}
