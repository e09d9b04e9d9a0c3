package dev.holdfast.wire;

import java.util.regex.Pattern;

/** What the names of a model may be, in every message, file and signed document. */
public final class ModelName {
    /** Of a model's name, and of a version. */
    public static final int MAX_CHARS = 64;
    /** Of {@code name@version}. */
    public static final int MAX_ID_CHARS = 2 * MAX_CHARS + 1;
    /** Of the path under which a model was signed. */
    public static final int MAX_TARGET_CHARS = 256;

    /** Models that one device runs side by side. */
    public static final int MAX_MODELS = 16;

    /** Older releases that one device serves beside them, under their pinned names, while their grace lasts. */
    public static final int MAX_GRACED = 16;

    /** What evidence calls bytes that serve and that no release is known for; no release may have this name. */
    public static final String UNKNOWN = "unknown";

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,63}");

    private ModelName() {}

    /** Whether {@code text} may name a model or a version: letters, digits, {@code . _ + -}, and so never an {@code @} or a slash. */
    public static boolean isName(String text) {
        return NAME.matcher(text).matches();
    }

    /** {@code intent@1.0.0}: a model with its version, as answers and reports name it. */
    public static String id(String model, String version) {
        return model + "@" + version;
    }
}
