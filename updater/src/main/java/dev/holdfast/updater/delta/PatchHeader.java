package dev.holdfast.updater.delta;

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

/**
 * Head and block table of an {@code hfd1} patch, all numbers big-endian:
 *
 * <pre>
 *  0  "HFD1"      4  u16 version 1     6  u16 flags 0
 *  8  base SHA-256 (32)   40  i64 base length
 * 48  result SHA-256 (32) 80  i64 result length   88  i32 block count
 * 92  block table, 88 bytes each:
 *       0 u8 op  1 zero (3)  4 i32 output length  8 i64 source offset  16 i32 source length
 *      20 i32 payload length  24 payload SHA-256 (32)  56 output SHA-256 (32)
 *     SHA-256 of everything before (32)
 *     payloads, one after the other
 * </pre>
 *
 * Output and payload offsets are sums, so blocks can neither overlap nor leave holes.
 */
final class PatchHeader {
    static final int MAGIC = 0x48464431;
    static final int HEAD_BYTES = 92;
    static final int ENTRY_BYTES = 88;
    /** Output of one block; keeps a block's three buffers far below the applier's bound. */
    static final int MAX_OUTPUT_BYTES = 1 << 20;
    /** Results up to 16 GiB; the table then takes 1.4 MB. */
    static final int MAX_BLOCKS = 1 << 14;

    /** One block, its place in both files computed. */
    record Block(
            DeltaOp op,
            long outputOffset,
            int outputBytes,
            long sourceOffset,
            int sourceBytes,
            long payloadOffset,
            int payloadBytes,
            Sha256 payloadHash,
            Sha256 outputHash) {}

    private final ByteBuffer bytes;
    private final int blockCount;
    private final long[] outputOffsets;
    private final long[] payloadOffsets;
    private final DeltaOp[] ops;

    private PatchHeader(ByteBuffer bytes, long patchBytes) throws RejectedException {
        this.bytes = bytes;
        this.blockCount = bytes.getInt(88);
        this.outputOffsets = new long[blockCount + 1];
        this.payloadOffsets = new long[blockCount + 1];
        this.ops = new DeltaOp[blockCount];
        payloadOffsets[0] = bytes.capacity();
        for (int i = 0; i < blockCount; i++) {
            check(i);
        }
        if (outputOffsets[blockCount] != resultBytes() || payloadOffsets[blockCount] != patchBytes) {
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
        if (head.getInt(0) != MAGIC || head.getInt(4) != 1 << 16) {
            return Verdict.rejected(Code.DLT_FORMAT, "no hfd1 patch of version 1");
        }
        if (count < 0 || count > MAX_BLOCKS || head.getLong(40) < 0 || head.getLong(80) < 0) {
            return Verdict.rejected(Code.DLT_FORMAT, "a length is out of range");
        }
        ByteBuffer all = read(channel, HEAD_BYTES + count * ENTRY_BYTES + Sha256.BYTES);
        if (all.hasRemaining()) {
            return Verdict.rejected(Code.DLT_FORMAT, "the block table is cut off");
        }
        int body = all.capacity() - Sha256.BYTES;
        byte[] array = all.array();
        if (!Arrays.equals(
                Sha256.of(Arrays.copyOf(array, body)).toArray(), Arrays.copyOfRange(array, body, array.length))) {
            return Verdict.rejected(Code.DLT_FORMAT, "head and table do not match their hash");
        }
        long patchBytes = channel.size();
        return Verdict.of(() -> new PatchHeader(all, patchBytes));
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
        ops[index] = DeltaOp.byNumber(bytes.get(at) & 0xff).orElseThrow(() -> wrong("reserved operation", at));
        int output = bytes.getInt(at + 4);
        long source = bytes.getLong(at + 8);
        int sourceBytes = bytes.getInt(at + 16);
        int payload = bytes.getInt(at + 20);
        if ((bytes.getInt(at) & 0xffffff) != 0 || output < 1 || output > MAX_OUTPUT_BYTES) {
            throw wrong("output length", at);
        }
        if (payload < 0 || payload > BlockCodec.maxPayloadBytes(output)) {
            throw wrong("payload length", at + 20);
        }
        if (sourceBytes != (ops[index].readsBase() ? output : 0) || source < 0 || source > baseBytes() - sourceBytes) {
            throw wrong("source range", at + 8);
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

    int blockCount() {
        return blockCount;
    }

    Block block(int index) {
        int at = entry(index);
        return new Block(
                ops[index],
                outputOffsets[index],
                bytes.getInt(at + 4),
                bytes.getLong(at + 8),
                bytes.getInt(at + 16),
                payloadOffsets[index],
                bytes.getInt(at + 20),
                hash(at + 24),
                hash(at + 56));
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

    /** The hash of head and table. */
    Sha256 digest() {
        return hash(bytes.capacity() - Sha256.BYTES);
    }
}
