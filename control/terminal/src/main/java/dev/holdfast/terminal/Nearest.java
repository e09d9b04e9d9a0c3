package dev.holdfast.terminal;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** Which of some names somebody meant who mistyped one: by the letters to change, add, take out or swap, at most a third of the word. */
final class Nearest {
    private static final int MAX_CHARS = 64;

    private Nearest() {}

    static Optional<String> to(String word, Collection<String> names) {
        if (word.length() > MAX_CHARS) {
            return Optional.empty();
        }
        int most = Math.max(1, word.length() / 3);
        return names.stream()
                .filter(name -> name.length() <= MAX_CHARS && distance(word, name) <= most)
                .min(Comparator.comparingInt(name -> distance(word, name)));
    }

    private static int distance(String a, String b) {
        int[][] least = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    least[i][j] = i + j;
                    continue;
                }
                int replaced = least[i - 1][j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                least[i][j] = Math.min(replaced, Math.min(least[i - 1][j], least[i][j - 1]) + 1);
                if (i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1)) {
                    least[i][j] = Math.min(least[i][j], least[i - 2][j - 2] + 1);
                }
            }
        }
        return least[a.length()][b.length()];
    }
}
