package dev.holdfast.control.config;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** What somebody meant who misspelt a name. */
public final class NearestName {
    private NearestName() {}

    /** The name that is fewest changes away, where that is at most a third of the word's length; the first one of several. */
    public static Optional<String> of(String word, Collection<String> names) {
        int most = Math.max(1, word.length() / 3);
        String plain = plain(word);
        return names.stream()
                .filter(name -> Math.abs(name.length() - word.length()) <= most)
                .filter(name -> changes(plain, plain(name)) <= most)
                .min(Comparator.comparingInt(name -> changes(plain, plain(name))));
    }

    /** Case and the kind of separator are not what distinguishes names. */
    private static String plain(String name) {
        return name.toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }

    /** Letters to insert, remove, replace, or exchange with their neighbour (optimal string alignment). */
    private static int changes(String a, String b) {
        int[][] table = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    table[i][j] = i + j;
                    continue;
                }
                int replaced = table[i - 1][j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                int least = Math.min(replaced, 1 + Math.min(table[i - 1][j], table[i][j - 1]));
                boolean swapped =
                        i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1);
                table[i][j] = swapped ? Math.min(least, table[i - 2][j - 2] + 1) : least;
            }
        }
        return table[a.length()][b.length()];
    }
}
