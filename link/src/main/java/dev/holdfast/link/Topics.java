package dev.holdfast.link;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.util.List;
import java.util.regex.Pattern;

/**
 * The topics of one device: {@code holdfast/v1/<fleet>/d/<device>/<leaf>}, five slashes of the seven that the
 * narrowest broker allows.
 */
public record Topics(String fleet, String device) {
    public static final int MAX_NAME_CHARS = 64;
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,63}");
    /** What names were before RabbitMQ was among the brokers. */
    private static final Pattern DOTTED_NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

    public Topics {
        for (String name : List.of(fleet, device)) {
            if (!isName(name)) {
                throw new IllegalArgumentException(refusal(name));
            }
        }
    }

    /** Whether {@code text} may name a fleet or a device: never a wildcard, a slash, or a dot. */
    public static boolean isName(String text) {
        return NAME.matcher(text).matches();
    }

    /** Whether {@code text} was a name while names could have dots. */
    public static boolean isDottedName(String text) {
        return !isName(text) && DOTTED_NAME.matcher(text).matches();
    }

    /** Why {@code text} may not name a fleet or a device, and what to do; for a person, one line of at most 250 characters. */
    public static String refusal(String text) {
        if (isDottedName(text)) {
            return text + ": names of fleets and devices have no dots, since RabbitMQ takes them for slashes; use "
                    + text.replace('.', '-')
                    + ", enrol the device under the new name and order its models again";
        }
        String shown = text.length() > MAX_NAME_CHARS ? text.substring(0, MAX_NAME_CHARS) + "..." : text;
        return "\"" + shown + "\": names of fleets and devices have 1 to 64 letters, digits, '_' or '-',"
                + " and begin with a letter or digit";
    }

    /** Reads fleet and device out of a topic that a broker delivered. */
    public static Verdict<Topics> parse(String topic) {
        String[] parts = topic.split("/", 8);
        if (parts.length != 6 || !parts[0].equals("holdfast") || !parts[1].equals("v1") || !parts[3].equals("d")) {
            return Verdict.rejected(Code.LNK_TOPIC, "not a device topic");
        }
        if (!isName(parts[2]) || !isName(parts[4])) {
            return Verdict.rejected(Code.LNK_TOPIC, "not a device topic");
        }
        return Verdict.accepted(new Topics(parts[2], parts[4]));
    }

    /** The filter under which the fleet service hears one leaf of all its devices. */
    public static String allDevices(String fleet, String leaf) {
        return "holdfast/v1/" + fleet + "/d/+/" + leaf;
    }

    public static final String ASK = "ask";
    public static final String STATUS = "status";
    public static final String ONLINE = "online";
    public static final String EVIDENCE = "evidence";

    /** Device to service: {@link Request}. */
    public String ask() {
        return leaf(ASK);
    }

    /** Service to device: {@link Reply}. */
    public String answer() {
        return leaf("answer");
    }

    /** Service to device, retained: an unsigned hint that a new order waits. */
    public String desired() {
        return leaf("desired");
    }

    /** Verifier to device: {@link Challenge}. */
    public String challenge() {
        return leaf("challenge");
    }

    /** Device to verifier: {@link Evidence}. */
    public String evidence() {
        return leaf(EVIDENCE);
    }

    /** Device to service, retained: a JSON report for people and dashboards. */
    public String status() {
        return leaf(STATUS);
    }

    /** Device to service, retained: {@code 1}, or {@code 0} by its last will. */
    public String online() {
        return leaf(ONLINE);
    }

    private String leaf(String name) {
        return "holdfast/v1/" + fleet + "/d/" + device + "/" + name;
    }
}
