package dev.holdfast.terminal;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * Rows under headings, in columns as wide as what they hold. Where a terminal is narrower, the last column gives way first and goes on
 * below itself, then the widest ones, which are cut and end in {@code ...}. A file or a pipe gets everything. Not thread-safe.
 */
public final class Table {
    private static final String GAP = "  ";
    private static final String CUT = "...";
    /** Narrower than this a column says nothing. */
    private static final int MIN_CHARS = 8;
    /** Of the last column, which goes on below itself. */
    private static final int MIN_WRAPPED_CHARS = 16;

    private final List<String> headings;
    private final boolean[] right;
    private final List<List<String>> rows = new ArrayList<>();

    /** @param headings one for each column; one that begins with {@code >} has numbers, which end in one line */
    public Table(String... headings) {
        this.right = new boolean[headings.length];
        List<String> plain = new ArrayList<>();
        for (int i = 0; i < headings.length; i++) {
            right[i] = headings[i].startsWith(">");
            plain.add(right[i] ? headings[i].substring(1) : headings[i]);
        }
        this.headings = List.copyOf(plain);
    }

    /** Adds a row with as many cells as there are headings; cells from elsewhere are made harmless. */
    public Table row(String... cells) {
        if (cells.length != headings.size()) {
            throw new IllegalArgumentException(cells.length + " cells under " + headings.size() + " headings");
        }
        rows.add(Arrays.stream(cells).map(Units::printable).toList());
        return this;
    }

    public boolean isEmpty() {
        return rows.isEmpty();
    }

    /** The lines, each with its end. */
    public String on(Terminal terminal) {
        int[] widths = widths(terminal.width());
        StringBuilder out = new StringBuilder(terminal.bold(line(headings, widths))).append('\n');
        for (List<String> row : rows) {
            int last = widths.length - 1;
            List<String> parts = right[last] ? List.of(row.get(last)) : Page.wrapped(row.get(last), widths[last]);
            List<String> cells = new ArrayList<>(row);
            for (String part : parts) {
                cells.set(last, part);
                out.append(line(cells, widths)).append('\n');
                Collections.fill(cells, "");
            }
        }
        return out.toString();
    }

    private int[] widths(int room) {
        int[] widths = new int[headings.size()];
        for (int i = 0; i < widths.length; i++) {
            widths[i] = headings.get(i).length();
            for (List<String> row : rows) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        int over = Arrays.stream(widths).sum() + GAP.length() * (widths.length - 1) - room;
        int last = widths.length - 1;
        if (over > 0 && !right[last] && widths[last] > MIN_WRAPPED_CHARS) {
            int less = Math.min(over, widths[last] - MIN_WRAPPED_CHARS);
            widths[last] -= less;
            over -= less;
        }
        while (over > 0) {
            int widest = 0;
            for (int i = 1; i < widths.length; i++) {
                widest = widths[i] >= widths[widest] ? i : widest;
            }
            if (widths[widest] <= MIN_CHARS) {
                break;
            }
            widths[widest]--;
            over--;
        }
        return widths;
    }

    private String line(List<String> cells, int[] widths) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < widths.length; i++) {
            String cell = cells.get(i);
            if (cell.length() > widths[i]) {
                cell = cell.substring(0, widths[i] - CUT.length()) + CUT;
            }
            String space = " ".repeat(widths[i] - cell.length());
            out.append(i == 0 ? "" : GAP).append(right[i] ? space + cell : cell + space);
        }
        return out.toString().stripTrailing();
    }
}
