package dev.holdfast.agent;

import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.trust.client.BlockSink;
import dev.holdfast.trust.client.BlockSource.Cut;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * Asks for blocks by messages of the link: as many at once as {@link TransferWindow} says, and in pieces where a whole block is too long
 * for the broker or too slow for the line. A block is handed on when all of it came. What came of blocks that are not whole is kept for
 * the next call, of a few files. Thread-safe.
 */
final class BlockFetch {
    /** Around a piece: topic and packet, id, kind and number. */
    static final int ENVELOPE_BYTES = 512;

    private static final int MAX_FILES = 4;
    /** Answers' time after which a call returns that has a block, so that an install on a slow line can be stopped... */
    private static final int CALL_ANSWERS = 6;
    /** ... and after which one ends that has none. */
    private static final int BLOCK_ANSWERS = 30;
    /** Answers to one question beyond which nobody listens. */
    private static final int MAX_ANSWERS = 4 * TransferWindow.MAX_PIECES;

    private static final Set<Code> SHRINKING = Set.of(Code.LNK_TIMEOUT, Code.LNK_DOWN, Code.LNK_SILENT, Code.LNK_LIMIT);

    /** Asks one question. */
    @FunctionalInterface
    interface Asking {
        Questions.Question ask(Request.Body body) throws IOException;
    }

    private final Asking asking;
    private final LongSupplier maxPacketBytes;
    private final Runnable useful;
    private final Duration answerDeadline;
    private final TransferWindow window = new TransferWindow();
    /** Of files whose download was interrupted, the last ones. */
    private final Map<Sha256, Map<Integer, Unfinished>> begun = new LinkedHashMap<>();

    /** @param useful is told of each block that holds */
    BlockFetch(Asking asking, LongSupplier maxPacketBytes, Runnable useful, Duration answerDeadline) {
        this.asking = asking;
        this.maxPacketBytes = maxPacketBytes;
        this.useful = useful;
        this.answerDeadline = answerDeadline;
    }

    TransferWindow window() {
        return window;
    }

    /** As {@link dev.holdfast.trust.client.BlockSource#fetch}. */
    void fetch(Sha256 blob, Cut cut, List<Integer> wanted, BlockSink sink) throws IOException {
        File file = new File(blob, cut, sink, wanted, taken(blob));
        long begun = System.nanoTime();
        try {
            while (!file.left.isEmpty()) {
                file.window();
                long answers = (System.nanoTime() - begun) / answerDeadline.toNanos();
                if (answers >= CALL_ANSWERS && file.left.size() < wanted.size()) {
                    return;
                }
                if (answers >= BLOCK_ANSWERS) {
                    throw new SourceException(Code.LNK_TIMEOUT, "no block came whole; its pieces are kept");
                }
            }
        } catch (IOException e) {
            // The service's broker may take less than the device's. Where nothing was asked, nothing is known of the
            // line.
            if (file.asked && SHRINKING.contains(SourceException.reasonOf(e).code())) {
                window.lost(true);
            }
            throw e;
        } finally {
            keep(blob, file.unfinished);
        }
    }

    private synchronized Map<Integer, Unfinished> taken(Sha256 blob) {
        Map<Integer, Unfinished> known = begun.remove(blob);
        return known == null ? new HashMap<>() : known;
    }

    private synchronized void keep(Sha256 blob, Map<Integer, Unfinished> unfinished) {
        if (!unfinished.isEmpty()) {
            begun.put(blob, unfinished);
            if (begun.size() > MAX_FILES) {
                begun.remove(begun.keySet().iterator().next());
            }
        }
    }

    /** One call. */
    private final class File {
        private final Sha256 blob;
        private final Cut cut;
        private final BlockSink sink;
        private final Set<Integer> left;
        private final Map<Integer, Unfinished> unfinished;
        /** Whether the last question was on its way. */
        private boolean asked;

        File(Sha256 blob, Cut cut, BlockSink sink, List<Integer> wanted, Map<Integer, Unfinished> unfinished) {
            this.blob = blob;
            this.cut = cut;
            this.sink = sink;
            this.left = new LinkedHashSet<>(wanted);
            this.unfinished = unfinished;
            unfinished.keySet().retainAll(left);
        }

        /** One question and its answers; those that hold are gone from {@code left}. */
        void window() throws IOException {
            long most = maxPacketBytes.getAsLong() - ENVELOPE_BYTES;
            int piece = Math.min(window.pieceBytes(cut.blockBytes(), most), begun());
            if (piece > most) {
                throw new SourceException(
                        Code.LNK_LIMIT,
                        "Maximum Packet Size: the broker takes " + (most + ENVELOPE_BYTES)
                                + " bytes, a piece of a block needs " + (piece + ENVELOPE_BYTES));
            }
            Set<Integer> missing = new LinkedHashSet<>(pieces(piece, window.pieces(piece)));
            int wanted = missing.size();
            asked = false;
            try (Questions.Question question = asking.ask(new Request.Blocks(blob, piece, new ArrayList<>(missing)))) {
                asked = true;
                listen(question, piece, missing);
            }
            if (missing.isEmpty()) {
                window.came(cut.blockBytes());
            } else if (missing.size() < wanted) {
                window.lost(false);
            } else {
                throw new SourceException(Code.LNK_TIMEOUT, "blocks did not come");
            }
        }

        /**
         * Takes answers until all that is missing has come. Who repeats or invents blocks cannot keep us here: each answer uses up one of
         * a bounded number, and only one that was missing is worth waiting longer.
         */
        private void listen(Questions.Question question, int piece, Set<Integer> missing) throws IOException {
            long end = System.nanoTime() + answerDeadline.toNanos();
            for (int answers = 0; !missing.isEmpty() && answers < MAX_ANSWERS; answers++) {
                Optional<Reply.Body> answer = question.within(Math.max(0, end - System.nanoTime()));
                if (answer.isEmpty()) {
                    return;
                }
                if (!(answer.get() instanceof Reply.Block(int index, Binary data))) {
                    throw new SourceException(Code.WIRE_FIELD, "the answer is of another kind");
                }
                if (missing.contains(index) && took(piece, index, data)) {
                    missing.remove(index);
                    end = System.nanoTime() + answerDeadline.toNanos();
                } else if (piece == cut.blockBytes() && !missing.contains(index)) {
                    // Counts as a wrong answer.
                    sink.accept(index, data);
                }
            }
        }

        /** The pieces in which the next block was begun: longer ones would bring again what is here. */
        private int begun() {
            Unfinished next = unfinished.get(left.iterator().next());
            return next == null ? cut.blockBytes() : next.pieceBytes;
        }

        /** Numbers of the next pieces that are missing, at least one. */
        private List<Integer> pieces(int piece, int most) {
            int each = cut.blockBytes() / piece;
            List<Integer> wanted = new ArrayList<>();
            for (int block : left) {
                for (int i = 0; i < each && (i == 0 || (long) i * piece < cut.length(block)); i++) {
                    Unfinished known = unfinished.get(block);
                    if (known == null || !known.has(i * piece, Math.min(piece, cut.length(block) - i * piece))) {
                        wanted.add(block * each + i);
                        if (wanted.size() == most) {
                            return wanted;
                        }
                    }
                }
            }
            return wanted;
        }

        /** Whether it was of use: a block that holds, or a piece of one. */
        private boolean took(int piece, int index, Binary data) throws IOException {
            int each = cut.blockBytes() / piece;
            int block = index / each;
            if (each == 1) {
                return accepted(block, data);
            }
            int offset = index % each * piece;
            if (data.length() != Math.min(piece, cut.length(block) - offset)) {
                return false;
            }
            Unfinished whole = unfinished.computeIfAbsent(block, number -> new Unfinished(cut.length(number)));
            whole.add(offset, data, piece);
            if (whole.isWhole()) {
                // Where it does not hold, one of its pieces was not the service's: all of them are asked for again.
                accepted(block, Binary.copyOf(whole.bytes));
            }
            return true;
        }

        private boolean accepted(int block, Binary data) throws IOException {
            unfinished.remove(block);
            boolean holds = sink.accept(block, data);
            if (holds) {
                left.remove(block);
                useful.run();
            }
            return holds;
        }
    }

    /** What came of a block. One thread. */
    private static final class Unfinished {
        private final byte[] bytes;
        private final BitSet came;
        /** The shortest that one of its pieces was asked for. */
        private int pieceBytes = Integer.MAX_VALUE;

        Unfinished(int length) {
            bytes = new byte[length];
            came = new BitSet(length);
        }

        boolean has(int offset, int length) {
            return came.nextClearBit(offset) >= offset + length;
        }

        void add(int offset, Binary data, int piece) {
            pieceBytes = Math.min(pieceBytes, piece);
            System.arraycopy(data.toArray(), 0, bytes, offset, data.length());
            came.set(offset, offset + data.length());
        }

        boolean isWhole() {
            return came.nextClearBit(0) >= bytes.length;
        }
    }
}
