package dev.holdfast.engine.text;

import java.util.List;

/** Holds back text that might be the beginning of a stop word, and ends at the first stop word. */
public final class StopSequences {
    private final List<String> words;
    private final StringBuilder held = new StringBuilder();
    private boolean found;

    public StopSequences(List<String> words) {
        this.words = words;
    }

    /** Takes text and gives what may be shown. */
    public String pass(String text) {
        if (words.isEmpty()) {
            return text;
        }
        held.append(text);
        int first = -1;
        for (String word : words) {
            int at = held.indexOf(word);
            if (at >= 0 && (first < 0 || at < first)) {
                first = at;
            }
        }
        if (first >= 0) {
            found = true;
            return take(first);
        }
        return take(held.length() - longestBeginning());
    }

    /** What was held back, once the answer is over. */
    public String rest() {
        return found ? "" : take(held.length());
    }

    public boolean found() {
        return found;
    }

    private int longestBeginning() {
        int longest = 0;
        for (String word : words) {
            for (int n = Math.min(word.length() - 1, held.length()); n > longest; n--) {
                if (word.startsWith(held.substring(held.length() - n))) {
                    longest = n;
                }
            }
        }
        return longest;
    }

    private String take(int length) {
        String text = held.substring(0, length);
        held.delete(0, length);
        return text;
    }
}
