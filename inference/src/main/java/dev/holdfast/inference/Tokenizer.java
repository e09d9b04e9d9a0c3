package dev.holdfast.inference;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;

/**
 * SentencePiece BPE as llama.cpp reads it ({@code tokenizer.ggml.model} = {@code llama}): spaces become U+2581, then the
 * adjacent pair whose union has the highest score is joined, leftmost first, until nothing joins; what is no token is
 * spelled in bytes.
 *
 * <p>One thing is stricter: text never yields a control token or a byte token by its name. {@link #encode} is for
 * content, and content is data. Immutable and thread-safe.
 */
final class Tokenizer {
    private static final char SPACE = '\u2581';

    private final Vocabulary vocabulary;
    private final boolean spacePrefix;
    private final boolean addBegin;
    private final Map<String, Integer> pieces = new HashMap<>();
    private final List<Integer> userDefined = new ArrayList<>();

    private Tokenizer(Vocabulary vocabulary, boolean spacePrefix, boolean addBegin, BitSet excluded) {
        this.vocabulary = vocabulary;
        this.spacePrefix = spacePrefix;
        this.addBegin = addBegin;
        for (int id = 0; id < vocabulary.size(); id++) {
            if (vocabulary.isControl(id) || excluded.get(id) || vocabulary.kind(id) == Vocabulary.Kind.BYTE) {
                continue;
            }
            pieces.putIfAbsent(vocabulary.text(id), id);
            if (vocabulary.kind(id) == Vocabulary.Kind.USER_DEFINED
                    && !vocabulary.text(id).isEmpty()) {
                userDefined.add(id);
            }
        }
        userDefined.sort(
                Comparator.comparingInt((Integer id) -> -vocabulary.text(id).length()));
    }

    static Tokenizer of(GgufFile file) throws RejectedException {
        String model = file.text("tokenizer.ggml.model", null).orThrow();
        if (!model.equals("llama")) {
            throw new RejectedException(Code.GGUF_UNSUPPORTED, "the tokenizer " + model);
        }
        boolean spacePrefix = file.flag("tokenizer.ggml.add_space_prefix", true).orThrow();
        boolean addBegin = file.flag("tokenizer.ggml.add_bos_token", true).orThrow();
        return new Tokenizer(Vocabulary.of(file), spacePrefix, addBegin, new BitSet());
    }

    /** The same tokenizer, whose texts never yield {@code excluded} either. */
    Tokenizer without(BitSet excluded) {
        return new Tokenizer(vocabulary, spacePrefix, addBegin, excluded);
    }

    Vocabulary vocabulary() {
        return vocabulary;
    }

    /** Whether a plain text begins with the begin token. */
    boolean addsBegin() {
        return addBegin;
    }

    boolean spacePrefix() {
        return spacePrefix;
    }

    /** A whole text, with the begin token where the model wants one; a plain completion's prompt. */
    int[] encodeText(String text) {
        int[] ids = encode(text, true);
        if (!addBegin || vocabulary.begin() < 0) {
            return ids;
        }
        int[] all = new int[ids.length + 1];
        all[0] = vocabulary.begin();
        System.arraycopy(ids, 0, all, 1, ids.length);
        return all;
    }

    /**
     * The tokens of content.
     *
     * @param afterSpecial whether the text stands at the beginning or behind a control token, where a space prefix goes
     */
    int[] encode(String text, boolean afterSpecial) {
        List<Object> fragments = new ArrayList<>();
        fragments.add(text);
        for (int id : userDefined) {
            fragments = split(fragments, id);
        }
        Ids out = new Ids();
        boolean special = afterSpecial;
        for (Object fragment : fragments) {
            if (fragment instanceof Integer id) {
                out.add(id);
                special = true;
            } else if (fragment instanceof String raw && !raw.isEmpty()) {
                merge((special && spacePrefix ? " " + raw : raw).replace(' ', SPACE), out);
                special = false;
            }
        }
        return out.toArray();
    }

    /** Cuts the text fragments at each place where token {@code id} is spelled. */
    private List<Object> split(List<Object> fragments, int id) {
        String piece = vocabulary.text(id);
        List<Object> cut = new ArrayList<>();
        for (Object fragment : fragments) {
            if (!(fragment instanceof String raw)) {
                cut.add(fragment);
                continue;
            }
            int from = 0;
            for (int at = raw.indexOf(piece); at >= 0; at = raw.indexOf(piece, from)) {
                cut.add(raw.substring(from, at));
                cut.add(id);
                from = at + piece.length();
            }
            cut.add(raw.substring(from));
        }
        return cut;
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
    private void merge(String text, Ids out) {
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
            queue.add(new Pair(left, right, vocabulary.score(id), length));
        }
    }

    private void emit(String symbol, Ids out) {
        Integer id = pieces.get(symbol);
        if (id != null) {
            out.add(id);
            return;
        }
        for (byte value : symbol.getBytes(StandardCharsets.UTF_8)) {
            int token = vocabulary.byteToken(Byte.toUnsignedInt(value));
            out.add(token >= 0 ? token : vocabulary.unknown());
        }
    }

    /** The bytes that a token stands for; a control token stands for none. */
    byte[] bytes(int id) {
        if (vocabulary.isControl(id)) {
            return new byte[0];
        }
        String text = vocabulary.text(id);
        if (vocabulary.kind(id) == Vocabulary.Kind.BYTE) {
            return new byte[] {(byte) Integer.parseInt(text.substring(3, 5), 16)};
        }
        return text.replace(SPACE, ' ').getBytes(StandardCharsets.UTF_8);
    }

    /** The text of tokens; malformed UTF-8 becomes U+FFFD, and the space prefix is taken off again. */
    String decode(int[] ids) {
        TextDecoder decoder = new TextDecoder(this);
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            text.append(decoder.next(id));
        }
        return text.append(decoder.end()).toString();
    }

    /** A growing list of numbers. */
    private static final class Ids {
        private int[] ids = new int[64];
        private int size;

        void add(int id) {
            if (size == ids.length) {
                ids = Arrays.copyOf(ids, 2 * size);
            }
            ids[size++] = id;
        }

        int[] toArray() {
            return Arrays.copyOf(ids, size);
        }
    }
}
