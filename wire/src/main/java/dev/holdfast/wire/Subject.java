package dev.holdfast.wire;

/**
 * What a log line is about, given among its arguments: printed as the name alone, and a field of its own where log lines have fields.
 *
 * @param name may be of others' choosing; whoever writes lines bounds it
 */
public record Subject(Kind kind, String name) {
    /** The fields that there are. */
    public enum Kind {
        DEVICE,
        MODEL,
        ORDER
    }

    public static Subject device(String name) {
        return new Subject(Kind.DEVICE, name);
    }

    public static Subject model(String name) {
        return new Subject(Kind.MODEL, name);
    }

    /** @param version of the order */
    public static Subject order(long version) {
        return new Subject(Kind.ORDER, Long.toString(version));
    }

    @Override
    public String toString() {
        return name;
    }
}
