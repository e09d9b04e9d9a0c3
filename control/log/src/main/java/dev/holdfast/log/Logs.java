package dev.holdfast.log;

import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.UnixDatagram;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.control.config.ConfigKeys;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.Level;

/**
 * Where log lines go. A command writes warnings, briefly, to standard error; a daemon says {@link #ofDaemon} first, and {@link #configure}
 * once it has read its configuration. One for the process, as SLF4J is. Thread-safe.
 */
public final class Logs {
    private static final String OURS = "dev.holdfast.";
    /** Of the link's attempts a command tells the last, by itself. */
    private static final String LINK = "dev.holdfast.link.";
    /** Netty looks for network devices at its start, and has a page to say where the sandbox shows it none. */
    private static final List<String> TALKATIVE = List.of("io.netty.util.");

    private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");
    private static final String JOURNAL = "/run/systemd/journal/socket";
    /** A full queue of the journal is empty within milliseconds, or the journal hangs; nobody here waits for that. */
    private static final int ATTEMPTS = 20;

    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    enum Form {
        BRIEF,
        TEXT,
        JSON,
        JOURNAL
    }

    /**
     * What holds at a moment.
     *
     * @param program as the journal names it
     */
    record Settings(Form form, Level level, String program, Optional<String> device) {}

    private static volatile Settings settings = new Settings(Form.BRIEF, Level.WARN, "holdfast", Optional.empty());
    private static volatile Consumer<String> copies = line -> {};
    private static volatile @Nullable UnixDatagram journal = socket(JOURNAL);

    /** Lines by the ordinal of their code. */
    private static final AtomicLongArray COUNTS = new AtomicLongArray(Code.values().length);

    private Logs() {}

    /**
     * This process is a daemon: lines are as {@code auto} has them until its configuration is read.
     *
     * @param program the command that it was started by, as the journal names it: {@code holdfast} or {@code fleet}
     */
    public static void ofDaemon(String program) {
        settings = new Settings(Form.TEXT, Level.INFO, program, Optional.empty());
        configure("auto", "info");
    }

    /** Takes {@code log-format} and {@code log-level}. */
    public static void configure(ConfigFile config) {
        configure(config.get(ConfigKeys.LOG_FORMAT), config.get(ConfigKeys.LOG_LEVEL));
    }

    /**
     * @param format {@code auto}, {@code text}, {@code json} or {@code journal}
     * @param level the least important that is written: {@code error}, {@code warn}, {@code info} or {@code debug}
     */
    public static void configure(String format, String level) {
        Form form = format.equals("auto")
                ? isJournal(System.getenv(), STANDARD_ERROR) ? Form.JOURNAL : Form.TEXT
                : Form.valueOf(format.toUpperCase(Locale.ROOT));
        Settings before = settings;
        settings = new Settings(form, Level.valueOf(level.toUpperCase(Locale.ROOT)), before.program, before.device);
    }

    /** The device that this process works for; each line with fields names it. */
    public static void ofDevice(String name) {
        Settings before = settings;
        settings = new Settings(before.form, before.level, before.program, Optional.of(name));
    }

    /** Hands a text of what goes straight to the journal to somebody who reads standard error otherwise. */
    public static void copyTo(Consumer<String> reader) {
        copies = reader;
    }

    /**
     * Says why a daemon cannot go on, where lines have fields. To the journal it is to be said on standard error as well: an entry of a
     * process that has ended by the time it is read may lack its unit, and what came through the unit's stream never does.
     *
     * @return whether that is all; else it is to be said to people, too
     */
    public static boolean tell(Exception fault) {
        Form form = settings.form;
        if (form != Form.JSON && form != Form.JOURNAL) {
            return false;
        }
        CommandFailure failure = CommandFailure.of(fault);
        String said = failure.what() + (failure.remedy().isEmpty() ? "" : "; " + failure.remedy());
        // The second is there for its code.
        write(LogLine.of(Level.ERROR, "Logs", "{}", new Object[] {said, fault}, null));
        return form == Form.JSON;
    }

    static boolean writes(String logger, Level level) {
        Settings now = settings;
        Level least = now.level;
        if (!logger.startsWith(OURS)) {
            // Of libraries only what is wrong, whatever is configured: what they say below that may name contents.
            least = TALKATIVE.stream().anyMatch(logger::startsWith) ? Level.ERROR : Level.WARN;
        } else if (now.form == Form.BRIEF && logger.startsWith(LINK)) {
            least = Level.ERROR;
        }
        return level.toInt() >= least.toInt();
    }

    /** How many lines each code was in since the start; a code that was in none is not there. */
    public static SortedMap<String, Long> lines() {
        SortedMap<String, Long> counts = new TreeMap<>();
        for (Code code : Code.values()) {
            long count = COUNTS.get(code.ordinal());
            if (count > 0) {
                counts.put(code.id(), count);
            }
        }
        return counts;
    }

    static void write(LogLine line) {
        line.code().ifPresent(code -> COUNTS.incrementAndGet(code.ordinal()));
        Settings now = settings;
        switch (now.form) {
            case BRIEF -> print(line.brief());
            case TEXT -> print(line.text());
            case JSON -> print(line.json(now.device));
            case JOURNAL -> {
                if (isSent(JournalEntry.of(line, now))) {
                    copies.accept(line.text());
                } else {
                    // The journal reads this, too, where it reads anything: the line loses its fields alone.
                    print(line.prefixed());
                }
            }
        }
    }

    /** In UTF-8 whatever the locale, and whole: two threads' lines do not mix. */
    private static void print(String text) {
        byte[] bytes = (text + "\n").getBytes(StandardCharsets.UTF_8);
        System.err.write(bytes, 0, bytes.length);
        System.err.flush();
    }

    private static boolean isSent(byte[] entry) {
        UnixDatagram socket = journal;
        try {
            for (int i = 0; socket != null && i < ATTEMPTS; i++) {
                if (socket.send(entry)) {
                    return true;
                }
                LockSupport.parkNanos(PAUSE_NANOS);
            }
            return false;
        } catch (IOException | RuntimeException e) {
            return false;
        }
    }

    /** Sends to another socket than the journal's. */
    static void journalAt(String address) {
        journal = socket(address);
    }

    private static @Nullable UnixDatagram socket(String address) {
        try {
            return new UnixDatagram(address);
        } catch (IOException e) {
            return null;
        }
    }

    /**
     * Whether a stream leads to the journal, as systemd.exec(5) has programs ask: the variable names its device and inode, and the stream
     * may have been redirected since.
     */
    static boolean isJournal(Map<String, String> environment, Path stream) {
        String named = environment.getOrDefault("JOURNAL_STREAM", "");
        try {
            return !named.isEmpty()
                    && named.equals(
                            Files.getAttribute(stream, "unix:dev") + ":" + Files.getAttribute(stream, "unix:ino"));
        } catch (IOException | RuntimeException e) {
            return false;
        }
    }
}
