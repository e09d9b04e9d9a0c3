package dev.holdfast.wire;

/** What a failure says of itself. Many of the JDK say nothing, such as those of a channel that was closed; then their type does. */
public final class FailureText {
    private FailureText() {}

    public static String of(Throwable failure) {
        String said = failure.getMessage();
        return said == null || said.isBlank() ? failure.getClass().getSimpleName() : said;
    }
}
