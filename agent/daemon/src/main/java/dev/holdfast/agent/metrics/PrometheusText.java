package dev.holdfast.agent.metrics;

import java.util.Map;

/**
 * Writes Prometheus' text format 0.0.4. The inference process has a library for that; here it would be a tenth of what the agent takes when
 * idle, for gauges and counters alone. Not thread-safe.
 */
final class PrometheusText {
    private static final String PREFIX = "holdfast_agent_";

    private final StringBuilder out = new StringBuilder(4096);

    /** @param help one line without a backslash */
    private void head(String name, String help, String type) {
        out.append("# HELP ")
                .append(PREFIX)
                .append(name)
                .append(' ')
                .append(help)
                .append("\n# TYPE ")
                .append(PREFIX)
                .append(name)
                .append(' ')
                .append(type)
                .append('\n');
    }

    private void line(String name, String labels, long value) {
        out.append(PREFIX).append(name).append(labels).append(' ').append(value).append('\n');
    }

    void gauge(String name, String help, long value) {
        gauges(name, help, Map.of("", value));
    }

    void gauge(String name, String help, boolean value) {
        gauge(name, help, value ? 1 : 0);
    }

    /** @param values by their labels; none is fine */
    void gauges(String name, String help, Map<String, Long> values) {
        head(name, help, "gauge");
        values.forEach((labels, value) -> line(name, labels, value));
    }

    void counter(String name, String help, long value) {
        counters(name, help, Map.of("", value));
    }

    /** @param values by their labels; none is fine */
    void counters(String name, String help, Map<String, Long> values) {
        head(name, help, "counter");
        values.forEach((labels, value) -> line(name, labels, value));
    }

    /** @param pairs names and values by turns; values may be of others' choosing */
    static String labels(String... pairs) {
        StringBuilder text = new StringBuilder("{");
        for (int i = 0; i < pairs.length; i += 2) {
            String value =
                    pairs[i + 1].replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
            text.append(i == 0 ? "" : ",")
                    .append(pairs[i])
                    .append("=\"")
                    .append(value)
                    .append('"');
        }
        return text.append('}').toString();
    }

    @Override
    public String toString() {
        return out.toString();
    }
}
