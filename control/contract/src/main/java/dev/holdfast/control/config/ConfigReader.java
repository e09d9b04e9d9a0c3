package dev.holdfast.control.config;

import java.util.Locale;

/** Who reads a key. */
public enum ConfigReader {
    AGENT,
    INFERENCE,
    /** {@code holdfast bridge}. */
    BRIDGE,
    /** The verbs of {@code holdfast} that ask a daemon. */
    COMMAND;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
