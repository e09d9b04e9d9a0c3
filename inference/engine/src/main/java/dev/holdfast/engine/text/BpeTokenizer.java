package dev.holdfast.engine.text;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import java.util.PriorityQueue;

/**
 * Byte-level BPE ({@code tokenizer.ggml.model} = {@code gpt2}): the text is cut into words, and in the bytes of each word the
 * pair of the lowest rank is joined, leftmost first, until none is left.
 */
final class BpeTokenizer extends Tokenizer {
    private static final int MISSING = -1;
    /** Joined to its left neighbour. */
    private static final int GONE = -2;

    private final PreTokenizer words;
    private final MergeTable merges;
    private final boolean wholeWords;
    private final int[] byteTokens = new int[256];

    private BpeTokenizer(
            Vocabulary vocabulary,
            Frame frame,
            PreTokenizer words,
            MergeTable merges,
            boolean wholeWords,
            BitSet excluded) {
        super(vocabulary, frame, excluded);
        this.words = words;
        this.merges = merges;
        this.wholeWords = wholeWords;
        for (int b = 0; b < 256; b++) {
            Integer id = vocabulary.find(String.valueOf(ByteAlphabet.of(b)));
            byteTokens[b] = id != null && mayCome(id) ? id : -1;
        }
    }

    public static BpeTokenizer of(GgufFile file) throws RejectedException {
        if (file.flag("tokenizer.ggml.add_space_prefix", false).orThrow()) {
            throw new RejectedException(
                    Code.GGUF_UNSUPPORTED, "tokenizer.ggml.add_space_prefix is true for a byte-level BPE");
        }
        PreTokenizer words = words(file.text("tokenizer.ggml.pre", "").orThrow());
        boolean llama = words == PreTokenizer.LLAMA3;
        Vocabulary vocabulary = Vocabulary.of(file, false, Vocabulary.Usual.NONE);
        Frame frame = frame(file, vocabulary.begin(), llama, vocabulary.end(), "add_eos_token", false);
        MergeTable merges = new MergeTable(file.texts("tokenizer.ggml.merges").orThrow(), vocabulary);
        // Llama 3 takes a word that is a token as it is, whatever the merges would make of it.
        return new BpeTokenizer(vocabulary, frame, words, merges, llama, new BitSet());
    }

    /** How a text is cut into words. Nothing else in a file tells, and a wrong guess gives other tokens than the model was trained with. */
    private static PreTokenizer words(String name) throws RejectedException {
        if (name.isEmpty() || name.equals("default")) {
            throw new RejectedException(
                    Code.GGUF_UNSUPPORTED,
                    "tokenizer.ggml.pre " + (name.isEmpty() ? "is missing" : "is default")
                            + ": the file does not say how its tokenizer cuts words; convert the model with a newer converter,"
                            + " or add the key (known: " + PreTokenizer.NAMES + ")");
        }
        return PreTokenizer.of(name)
                .orElseThrow(() -> new RejectedException(
                        Code.GGUF_UNSUPPORTED,
                        "tokenizer.ggml.pre is " + name + ", which this engine does not know (known: "
                                + PreTokenizer.NAMES + ")"));
    }

    @Override
    Tokenizer without(BitSet excluded) {
        return new BpeTokenizer(vocabulary(), frame(), words, merges, wholeWords, excluded);
    }

    @Override
    boolean spacePrefix() {
        return false;
    }

    @Override
    void encodePart(String text, boolean afterSpecial, TokenIds out) {
        int[] from = {0};
        words.split(text, end -> {
            word(text.substring(from[0], end), out);
            from[0] = end;
        });
    }

    private void word(String word, TokenIds out) {
        byte[] bytes = word.getBytes(StandardCharsets.UTF_8);
        if (wholeWords) {
            Integer whole = vocabulary().find(ByteAlphabet.write(bytes));
            if (whole != null && mayCome(whole)) {
                out.add(whole);
                return;
            }
        }
        int[] ids = new int[bytes.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = byteTokens[Byte.toUnsignedInt(bytes[i])];
        }
        join(ids);
        for (int id : ids) {
            if (id >= 0) {
                out.add(id);
            } else if (id == MISSING && vocabulary().unknown() >= 0) {
                out.add(vocabulary().unknown());
            }
        }
    }

    /** Joins in place; the queue holds rank above and place below, so that numbers sort as joins are done. */
    private void join(int[] ids) {
        int count = ids.length;
        if (count < 2) {
            return;
        }
        int[] previous = new int[count];
        int[] next = new int[count];
        Arrays.setAll(previous, i -> i - 1);
        Arrays.setAll(next, i -> i + 1);
        PriorityQueue<Long> queue = new PriorityQueue<>();
        for (int i = 0; i + 1 < count; i++) {
            offer(queue, ids, i, i + 1);
        }
        for (Long first = queue.poll(); first != null; first = queue.poll()) {
            int left = first.intValue();
            int right = ids[left] < 0 ? count : next[left];
            int place = right < count ? merges.find(ids[left], ids[right]) : -1;
            if (place < 0 || merges.rank(place) != (int) (first >>> 32)) {
                // One of the two was joined meanwhile.
                continue;
            }
            ids[left] = merges.whole(place);
            ids[right] = GONE;
            next[left] = next[right];
            if (next[left] < count) {
                previous[next[left]] = left;
            }
            offer(queue, ids, previous[left], left);
            offer(queue, ids, left, next[left]);
        }
    }

    private void offer(PriorityQueue<Long> queue, int[] ids, int left, int right) {
        if (left < 0 || right >= ids.length) {
            return;
        }
        int place = merges.find(ids[left], ids[right]);
        if (place >= 0 && mayCome(merges.whole(place))) {
            queue.add((long) merges.rank(place) << 32 | left);
        }
    }

    @Override
    byte[] bytes(int id) {
        if (vocabulary().isControl(id)) {
            return new byte[0];
        }
        String text = vocabulary().text(id);
        byte[] bytes = new byte[text.length()];
        for (int i = 0; i < bytes.length; i++) {
            int value = ByteAlphabet.read(text.charAt(i));
            if (value < 0 || vocabulary().kind(id) == Vocabulary.Kind.USER_DEFINED) {
                // User-defined tokens are written as themselves.
                return text.getBytes(StandardCharsets.UTF_8);
            }
            bytes[i] = (byte) value;
        }
        return bytes;
    }
}
