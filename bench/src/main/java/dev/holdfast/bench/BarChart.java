package dev.holdfast.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A chart of pairs of bars, ours in blue above the peer's in grey, as SVG. */
final class BarChart {
    private static final int ROW_PIXELS = 44;
    private static final int LONGEST_PIXELS = 480;

    private record Pair(String name, double ours, double peer) {}

    private final String title;
    private final String format;
    private final List<Pair> pairs = new ArrayList<>();

    /** @param format how a figure is written, for {@link String#format} */
    BarChart(String title, String format) {
        this.title = title;
        this.format = format;
    }

    BarChart add(String name, double ours, double peer) {
        pairs.add(new Pair(name, ours, peer));
        return this;
    }

    String svg() {
        double most = pairs.stream()
                .mapToDouble(pair -> Math.max(pair.ours, pair.peer))
                .max()
                .orElse(1);
        StringBuilder svg = new StringBuilder();
        svg.append(String.format(Locale.ROOT, """
                <svg xmlns="http://www.w3.org/2000/svg" width="780" height="%d" font-family="sans-serif" font-size="12">
                <rect width="100%%" height="100%%" fill="#fff"/>
                <text x="10" y="20" font-size="14">%s</text>
                """, 40 + ROW_PIXELS * pairs.size(), title));
        for (int i = 0; i < pairs.size(); i++) {
            Pair pair = pairs.get(i);
            int y = 36 + ROW_PIXELS * i;
            svg.append(String.format(Locale.ROOT, "<text x=\"10\" y=\"%d\">%s</text>%n", y + 20, pair.name));
            bar(svg, y + 2, pair.ours, most, "#2b6cb0");
            bar(svg, y + 18, pair.peer, most, "#a0aec0");
        }
        return svg.append("</svg>\n").toString();
    }

    private void bar(StringBuilder svg, int y, double value, double most, String colour) {
        double length = LONGEST_PIXELS * value / most;
        svg.append(String.format(
                Locale.ROOT,
                "<rect x=\"170\" y=\"%d\" width=\"%.1f\" height=\"14\" fill=\"%s\"/>%n<text x=\"%.1f\" y=\"%d\">%s</text>%n",
                y,
                length,
                colour,
                176 + length,
                y + 12,
                String.format(Locale.ROOT, format, value)));
    }
}
