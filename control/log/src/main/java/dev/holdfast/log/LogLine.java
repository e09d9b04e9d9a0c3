package dev.holdfast.log;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Slot;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.CodedFailure;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.PrintableText;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Subject;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.Level;
import org.slf4j.helpers.MessageFormatter;

/**
 * One thing that is logged. Its code and its subjects are those of the arguments and of what was thrown, by their types and never by what
 * the text looks like: text may be of others' choosing.
 *
 * @param logger short name of the class that says it
 * @param message one line of at most {@value #MAX_CHARS} characters
 * @param code the first that was given
 * @param subjects the first of each kind that was given
 * @param error what was thrown and where, in lines that only this class ends; empty where nothing was
 */
record LogLine(
        Instant at,
        Level level,
        String logger,
        String thread,
        String message,
        Optional<Code> code,
        Map<Subject.Kind, String> subjects,
        String error) {
    static final int MAX_CHARS = 4096;
    static final int MAX_NAME_CHARS = 200;
    private static final int MAX_FRAMES = 64;
    private static final int MAX_CAUSES = 8;
    private static final int MAX_ERROR_CHARS = 16 * 1024;

    static LogLine of(
            Level level,
            String logger,
            @Nullable String format,
            @Nullable Object @Nullable [] arguments,
            @Nullable Throwable thrown) {
        @Nullable Object[] given = arguments == null ? new @Nullable Object[0] : arguments;
        Code code = null;
        Map<Subject.Kind, String> subjects = new EnumMap<>(Subject.Kind.class);
        for (@Nullable Object one : given) {
            code = code == null ? codeOf(one) : code;
            switch (one) {
                case Subject subject -> subjects.putIfAbsent(subject.kind(), name(subject.name()));
                case Slot slot -> subjects.putIfAbsent(Subject.Kind.MODEL, name(slot.model()));
                case null, default -> {}
            }
        }
        Throwable cause = thrown;
        for (int i = 0; code == null && cause != null && i < MAX_CAUSES; i++) {
            code = codeOf(cause);
            cause = cause.getCause();
        }
        return new LogLine(
                Instant.now().truncatedTo(ChronoUnit.MILLIS),
                level,
                logger,
                name(Thread.currentThread().getName()),
                line(String.valueOf(MessageFormatter.basicArrayFormat(format, given))),
                Optional.ofNullable(code),
                Map.copyOf(subjects),
                thrown == null ? "" : stack(thrown));
    }

    private static @Nullable Code codeOf(@Nullable Object argument) {
        return switch (argument) {
            case Code code -> code;
            case Rejection why -> why.code();
            case CodedFailure failure -> failure.rejection().code();
            case null, default -> null;
        };
    }

    private static String line(String text) {
        String line = PrintableText.of(text, MAX_CHARS);
        return line.length() < text.length() ? line + "..." : line;
    }

    private static String name(String text) {
        return PrintableText.of(text, MAX_NAME_CHARS);
    }

    /** As a stack trace is printed, but what an exception says stays one line, and it ends. */
    private static String stack(Throwable thrown) {
        StringBuilder out = new StringBuilder();
        Throwable one = thrown;
        for (int i = 0; one != null && i < MAX_CAUSES && out.length() < MAX_ERROR_CHARS; i++) {
            out.append(i == 0 ? "" : "\nCaused by: ").append(line(one.toString()));
            StackTraceElement[] frames = one.getStackTrace();
            for (int j = 0; j < Math.min(frames.length, MAX_FRAMES); j++) {
                out.append("\n\tat ").append(name(frames[j].toString()));
            }
            one = one.getCause();
        }
        return out.toString();
    }

    /** syslog(3): LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG. */
    int priority() {
        return switch (level) {
            case ERROR -> 3;
            case WARN -> 4;
            case INFO -> 6;
            case DEBUG, TRACE -> 7;
        };
    }

    /** {@code TIME [THREAD] LEVEL LOGGER - MESSAGE}; what was thrown follows in lines of its own. */
    String text() {
        return at + " [" + thread + "] " + level + " " + logger + " - " + message
                + (error.isEmpty() ? "" : "\n" + error);
    }

    /** For somebody who waits for a command: {@code LEVEL MESSAGE}. */
    String brief() {
        return level + " " + message + (error.isEmpty() ? "" : "\n" + error);
    }

    /** One object in one line; {@code device} is this process's own where the line names none. */
    String json(Optional<String> device) {
        ObjectNode json = Json.object()
                .put("time", at.toString())
                .put("level", level.name().toLowerCase(Locale.ROOT))
                .put("logger", logger)
                .put("thread", thread)
                .put("message", message);
        code.ifPresent(known -> json.put("code", known.id()));
        subjects(device).forEach((kind, name) -> json.put(kind.name().toLowerCase(Locale.ROOT), name));
        if (!error.isEmpty()) {
            json.put("error", error);
        }
        return json.toString();
    }

    /** The subjects, with this process's own device where the line names none. */
    Map<Subject.Kind, String> subjects(Optional<String> device) {
        Map<Subject.Kind, String> all = new EnumMap<>(Subject.Kind.class);
        device.ifPresent(name -> all.put(Subject.Kind.DEVICE, name));
        all.putAll(subjects);
        return all;
    }

    /** For a journal that reads standard error: each line with its priority, sd-daemon(3). The journal knows the time. */
    String prefixed() {
        String prefix = "<" + priority() + ">";
        return prefix + logger + ": " + message + (error.isEmpty() ? "" : "\n" + error).replace("\n", "\n" + prefix);
    }
}
