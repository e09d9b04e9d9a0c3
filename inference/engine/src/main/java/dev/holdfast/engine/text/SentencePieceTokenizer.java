package dev.holdfast.engine.text;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.RejectedException;
import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.PriorityQueue;

/**
 * SentencePiece BPE ({@code tokenizer.ggml.model} = {@code llama}): spaces become U+2581, then the adjacent pair whose union
 * has the highest score is joined, leftmost first, until nothing joins; what is not a token is spelled in bytes. Text never
 * yields a byte token by its name.
 */
final class SentencePieceTokenizer extends Tokenizer {
    static final char SPACE = '\u2581';

    private final boolean spacePrefix;
    private final Map<String, Integer> pieces = new HashMap<>();

    private SentencePieceTokenizer(Vocabulary vocabulary, Frame frame, boolean spacePrefix, BitSet excluded) {
        super(vocabulary, frame, excluded);
        this.spacePrefix = spacePrefix;
        for (int id = 0; id < vocabulary.size(); id++) {
            if (mayCome(id) && vocabulary.kind(id) != Vocabulary.Kind.BYTE) {
                pieces.putIfAbsent(vocabulary.text(id), id);
            }
        }
    }

    public static SentencePieceTokenizer of(GgufFile file) throws RejectedException {
        Vocabulary vocabulary = Vocabulary.of(file, true, new Vocabulary.Usual(0, 1, 2));
        Frame frame = frame(file, vocabulary.begin(), true, vocabulary.end(), "add_eos_token", false);
        boolean spacePrefix = file.flag("tokenizer.ggml.add_space_prefix", true).orThrow();
        return new SentencePieceTokenizer(vocabulary, frame, spacePrefix, new BitSet());
    }

    @Override
    Tokenizer without(BitSet excluded) {
        return new SentencePieceTokenizer(vocabulary(), frame(), spacePrefix, excluded);
    }

    @Override
    boolean spacePrefix() {
        return spacePrefix;
    }

    @Override
    void encodePart(String text, boolean afterSpecial, TokenIds out) {
        merge((afterSpecial && spacePrefix ? " " + text : text).replace(' ', SPACE), out);
    }

    /** A possible union: the symbols at {@code left} and {@code right}, together {@code length} characters. */
    private record Pair(int left, int right, float score, int length) implements Comparable<Pair> {
        @Override
        public int compareTo(Pair other) {
            int byScore = Float.compare(other.score, score);
            return byScore != 0 ? byScore : Integer.compare(left, other.left);
        }
    }

    /** Symbols as a linked list over {@code text}: where each begins, how long it is (0 = joined), and its neighbours. */
    private void merge(String text, TokenIds out) {
        int[] starts = new int[text.length()];
        int count = 0;
        for (int at = 0; at < text.length(); at += Character.charCount(text.codePointAt(at))) {
            starts[count++] = at;
        }
        int[] lengths = new int[count];
        int[] previous = new int[count];
        int[] next = new int[count];
        for (int i = 0; i < count; i++) {
            lengths[i] = (i + 1 < count ? starts[i + 1] : text.length()) - starts[i];
            previous[i] = i - 1;
            next[i] = i + 1 < count ? i + 1 : -1;
        }
        PriorityQueue<Pair> queue = new PriorityQueue<>();
        for (int i = 1; i < count; i++) {
            offer(queue, text, starts, lengths, i - 1, i);
        }
        for (Pair pair = queue.poll(); pair != null; pair = queue.poll()) {
            int left = pair.left;
            int right = pair.right;
            if (lengths[left] == 0 || lengths[right] == 0 || lengths[left] + lengths[right] != pair.length) {
                continue;
            }
            lengths[left] += lengths[right];
            lengths[right] = 0;
            next[left] = next[right];
            if (next[right] >= 0) {
                previous[next[right]] = left;
            }
            offer(queue, text, starts, lengths, previous[left], left);
            offer(queue, text, starts, lengths, left, next[left]);
        }
        for (int i = 0; i >= 0 && i < count; i = next[i]) {
            emit(text.substring(starts[i], starts[i] + lengths[i]), out);
        }
    }

    private void offer(PriorityQueue<Pair> queue, String text, int[] starts, int[] lengths, int left, int right) {
        if (left < 0 || right < 0) {
            return;
        }
        int length = lengths[left] + lengths[right];
        Integer id = pieces.get(text.substring(starts[left], starts[left] + length));
        if (id != null) {
            queue.add(new Pair(left, right, vocabulary().score(id), length));
        }
    }

    private void emit(String symbol, TokenIds out) {
        Integer id = pieces.get(symbol);
        if (id != null) {
            out.add(id);
            return;
        }
        for (byte value : symbol.getBytes(StandardCharsets.UTF_8)) {
            int token = vocabulary().byteToken(Byte.toUnsignedInt(value));
            out.add(token >= 0 ? token : vocabulary().unknown());
        }
    }

    @Override
    byte[] bytes(int id) {
        if (vocabulary().isControl(id)) {
            return new byte[0];
        }
        String text = vocabulary().text(id);
        if (vocabulary().kind(id) == Vocabulary.Kind.BYTE) {
            return new byte[] {(byte) Integer.parseInt(text.substring(3, 5), 16)};
        }
        return text.replace(SPACE, ' ').getBytes(StandardCharsets.UTF_8);
    }
}
