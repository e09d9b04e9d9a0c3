package dev.holdfast.wire;

/** How long the names of a model may be, in every message, file and signed document. */
public final class ModelName {
    /** Of a model's name, and of a version. */
    public static final int MAX_CHARS = 64;
    /** Of {@code name@version}. */
    public static final int MAX_ID_CHARS = 2 * MAX_CHARS + 1;
    /** Of the path under which a model was signed. */
    public static final int MAX_TARGET_CHARS = 256;

    private ModelName() {}

    /** {@code intent@1.0.0}: a model with its version, as answers and reports name it. */
    public static String id(String model, String version) {
        return model + "@" + version;
    }
}
