package dev.holdfast.engine.text;

import dev.holdfast.gguf.GgufValue;
import java.util.Arrays;

/**
 * The merges of a BPE tokenizer: a pair of tokens, its rank (the lower the sooner) and the token that it becomes. An open
 * hash table of numbers, because the texts of a hundred thousand merges would be the largest object of the process. Immutable.
 */
final class MergeTable {
    private static final long EMPTY = -1;

    private final long[] pairs;
    private final int[] ranks;
    private final int[] merged;

    /** Merges of words that are no tokens are left out: nothing could come of them. */
    MergeTable(GgufValue.Texts merges, Vocabulary vocabulary) {
        // A load of at most one half keeps the searches short, also those that find nothing.
        int capacity = Math.max(16, Integer.highestOneBit(Math.max(1, merges.size())) * 4);
        pairs = new long[capacity];
        ranks = new int[capacity];
        merged = new int[capacity];
        Arrays.fill(pairs, EMPTY);
        for (int rank = 0; rank < merges.size(); rank++) {
            String text = merges.text(rank);
            // The first word has at least one character, which may itself be a space in a broken file.
            int gap = text.indexOf(' ', 1);
            if (gap < 0) {
                continue;
            }
            Integer left = vocabulary.find(text.substring(0, gap));
            Integer right = vocabulary.find(text.substring(gap + 1));
            Integer whole = vocabulary.find(text.substring(0, gap).concat(text.substring(gap + 1)));
            if (left != null && right != null && whole != null) {
                put(pair(left, right), rank, whole);
            }
        }
    }

    static long pair(int left, int right) {
        return (long) left << 32 | right;
    }

    private void put(long pair, int rank, int whole) {
        int slot = slot(pair);
        if (pairs[slot] == EMPTY) {
            pairs[slot] = pair;
            ranks[slot] = rank;
            merged[slot] = whole;
        }
    }

    /** Where the pair is, or the free place where it would be. */
    private int slot(long pair) {
        long mixed = pair * 0x9E3779B97F4A7C15L;
        int slot = (int) (mixed >>> 33) & pairs.length - 1;
        while (pairs[slot] != EMPTY && pairs[slot] != pair) {
            slot = slot + 1 & pairs.length - 1;
        }
        return slot;
    }

    /** The place of a pair, or -1. */
    int find(int left, int right) {
        if (left < 0 || right < 0) {
            return -1;
        }
        int slot = slot(pair(left, right));
        return pairs[slot] == EMPTY ? -1 : slot;
    }

    int rank(int place) {
        return ranks[place];
    }

    /** The token that the pair becomes. */
    int whole(int place) {
        return merged[place];
    }
}
