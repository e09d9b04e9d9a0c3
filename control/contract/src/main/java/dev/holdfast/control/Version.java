package dev.holdfast.control;

/** The version of everything that is on a device. */
public final class Version {
    public static final String NAME = "0.1.0";

    private Version() {}
}
