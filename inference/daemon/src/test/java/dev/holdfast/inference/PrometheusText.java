package dev.holdfast.inference;

import static java.util.Objects.requireNonNull;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads the text exposition format 0.0.4 by its rules, and throws where one is broken: each family is one group with at most one HELP and
 * one TYPE before its samples, no series comes twice, each line ends with a line feed, a histogram's buckets rise to that of infinity,
 * which is its count.
 *
 * @param families by name
 */
record PrometheusText(Map<String, Family> families) {
    private static final String NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
    private static final Pattern COMMENT = Pattern.compile("# (HELP|TYPE) (" + NAME + ") (.*)");
    private static final Pattern SAMPLE = Pattern.compile("(" + NAME + ")(?:\\{(.*)})? (\\S+)(?: -?\\d+)?");
    private static final Pattern LABEL =
            Pattern.compile("([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\\\\n]|\\\\[\\\\\"n])*)\"(,|$)");
    private static final Set<String> TYPES = Set.of("counter", "gauge", "histogram", "summary", "untyped");

    /** One line: a name, what it is of, and its value. */
    record Sample(String name, Map<String, String> labels, double value) {}

    /** All lines of one metric. */
    record Family(String type, List<Sample> samples) {
        /** The value of the one series with these labels; a histogram's bucket has {@code le} among them. */
        double value(String name, Map<String, String> labels) {
            return samples.stream()
                    .filter(sample -> sample.name.equals(name) && sample.labels.equals(labels))
                    .findFirst()
                    .orElseThrow(() -> new AssertionError("no " + name + labels + " in " + samples))
                    .value;
        }
    }

    Family family(String name) {
        require(families.containsKey(name), "no " + name + " in " + families.keySet());
        return requireNonNull(families.get(name));
    }

    static PrometheusText parse(String text) {
        require(text.endsWith("\n"), "the last line has no line feed");
        Map<String, Family> families = new LinkedHashMap<>();
        Set<String> helped = new HashSet<>();
        Set<String> series = new HashSet<>();
        String current = "";
        for (String line : text.substring(0, text.length() - 1).split("\n", -1)) {
            Matcher comment = COMMENT.matcher(line);
            if (comment.matches()) {
                String name = comment.group(2);
                boolean type = comment.group(1).equals("TYPE");
                require(!families.containsKey(name), name + " is described behind its type");
                require(type || helped.add(name), "two HELP of " + name);
                if (type) {
                    require(TYPES.contains(comment.group(3)), line);
                    families.put(name, new Family(comment.group(3), new ArrayList<>()));
                    current = name;
                }
                continue;
            }
            Matcher matcher = SAMPLE.matcher(line);
            require(matcher.matches(), "not a line: " + line);
            Sample sample = new Sample(matcher.group(1), labels(matcher.group(2)), number(matcher.group(3)));
            require(families.containsKey(current), sample.name + " has no type");
            Family family = requireNonNull(families.get(current));
            require(belongs(sample.name, current, family.type), sample.name + " is not in its group");
            require(series.add(sample.name + new TreeMap<>(sample.labels)), "twice: " + line);
            family.samples.add(sample);
        }
        families.forEach(PrometheusText::check);
        return new PrometheusText(families);
    }

    private static boolean belongs(String name, String family, String type) {
        return switch (type) {
            case "histogram" ->
                Set.of(family + "_bucket", family + "_sum", family + "_count").contains(name);
            case "summary" -> Set.of(family, family + "_sum", family + "_count").contains(name);
            default -> name.equals(family);
        };
    }

    private static Map<String, String> labels(@Nullable String text) {
        Map<String, String> labels = new LinkedHashMap<>();
        String left = text == null ? "" : text;
        while (!left.isEmpty()) {
            Matcher label = LABEL.matcher(left);
            require(label.lookingAt(), "not labels: " + text);
            require(labels.put(label.group(1), label.group(2)) == null, "a label twice: " + text);
            left = left.substring(label.end());
        }
        return labels;
    }

    private static double number(String text) {
        return switch (text) {
            case "+Inf" -> Double.POSITIVE_INFINITY;
            case "-Inf" -> Double.NEGATIVE_INFINITY;
            case "NaN" -> Double.NaN;
            default -> Double.parseDouble(text);
        };
    }

    private static void check(String name, Family family) {
        require(!family.samples.isEmpty(), name + " has no sample");
        if (family.type.equals("counter")) {
            require(name.endsWith("_total"), name + " counts and does not end in _total");
            require(family.samples.stream().allMatch(sample -> sample.value >= 0), name + " is below 0");
        }
        if (!family.type.equals("histogram")) {
            return;
        }
        Map<Map<String, String>, List<Sample>> buckets = new LinkedHashMap<>();
        for (Sample sample : family.samples) {
            Map<String, String> labels = new LinkedHashMap<>(sample.labels);
            if (sample.name.endsWith("_bucket")) {
                require(labels.remove("le") != null, name + " has a bucket without le");
                buckets.computeIfAbsent(labels, any -> new ArrayList<>()).add(sample);
            }
        }
        require(!buckets.isEmpty(), name + " has no bucket");
        buckets.forEach((labels, all) -> {
            for (int i = 1; i < all.size(); i++) {
                require(limit(all.get(i)) > limit(all.get(i - 1)), name + " has buckets out of order");
                require(all.get(i).value >= all.get(i - 1).value, name + " has a bucket that falls");
            }
            require(limit(all.getLast()) == Double.POSITIVE_INFINITY, name + " has no bucket for the rest");
            require(all.getLast().value == family.value(name + "_count", labels), name + " counts something else");
            require(!Double.isNaN(family.value(name + "_sum", labels)), name + " has no sum");
        });
    }

    private static double limit(Sample bucket) {
        return number(String.valueOf(bucket.labels.get("le")));
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
