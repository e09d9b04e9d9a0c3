package dev.holdfast.engine.text;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Finds the tokens that a vocabulary marks as user-defined where a text spells them: the longest ones first, each from left
 * to right, none over another, as llama.cpp does. The time is bounded by the length of the text times {@link #MAX_CHARS},
 * whatever the vocabulary holds: one rolling hash (that of {@link String#hashCode}) for each length. Immutable.
 */
final class SpecialTokenScanner {
    /** Longer ones are not looked for; the longest in use are runs of 31 spaces and names of some 40 characters. */
    static final int MAX_CHARS = 128;

    private static final int FILTER = 0xffff;

    /** The tokens of one length; {@code power} is 31 to the power of it, {@code hashes} has the low bits of each hash. */
    private record Group(int length, int power, Map<String, Integer> ids, BitSet hashes) {}

    private record Hit(int start, int end, int id) {}

    /** Gets the parts of a text in their order. */
    interface Parts {
        void text(String text);

        void token(int id);
    }

    private final List<Group> groups = new ArrayList<>();

    SpecialTokenScanner(Map<String, Integer> ids) {
        TreeMap<Integer, Map<String, Integer>> byLength = new TreeMap<>();
        ids.forEach((text, id) -> {
            if (!text.isEmpty() && text.length() <= MAX_CHARS) {
                byLength.computeIfAbsent(text.length(), length -> new HashMap<>())
                        .put(text, id);
            }
        });
        byLength.descendingMap().forEach((length, texts) -> {
            int power = 1;
            for (int i = 0; i < length; i++) {
                power *= 31;
            }
            BitSet hashes = new BitSet(FILTER + 1);
            texts.keySet().forEach(text -> hashes.set(text.hashCode() & FILTER));
            groups.add(new Group(length, power, texts, hashes));
        });
    }

    void split(String text, Parts parts) {
        List<Hit> hits = new ArrayList<>();
        BitSet used = new BitSet();
        for (Group group : groups) {
            find(text, group, used, hits);
        }
        hits.sort(Comparator.comparingInt(Hit::start));
        int from = 0;
        for (Hit hit : hits) {
            if (hit.start > from) {
                parts.text(text.substring(from, hit.start));
            }
            parts.token(hit.id);
            from = hit.end;
        }
        if (from < text.length()) {
            parts.text(text.substring(from));
        }
    }

    private static void find(String text, Group group, BitSet used, List<Hit> hits) {
        int hash = 0;
        for (int end = 1; end <= text.length(); end++) {
            hash = 31 * hash + text.charAt(end - 1);
            int start = end - group.length;
            if (start < 0) {
                continue;
            }
            if (start > 0) {
                hash -= group.power * text.charAt(start - 1);
            }
            if (!group.hashes.get(hash & FILTER)) {
                continue;
            }
            Integer id = group.ids.get(text.substring(start, end));
            int taken = used.nextSetBit(start);
            if (id != null && (taken < 0 || taken >= end)) {
                used.set(start, end);
                hits.add(new Hit(start, end, id));
            }
        }
    }
}
