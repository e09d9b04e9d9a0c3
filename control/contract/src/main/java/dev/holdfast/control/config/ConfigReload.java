package dev.holdfast.control.config;

import dev.holdfast.control.Signals;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Reads a daemon's configuration again while it runs. It is taken as a whole or not at all: where anything does not hold, what was in
 * force stays. Keys that wait for a restart keep their value until then, and are named at each reload. Thread-safe.
 *
 * @param <C> what the daemon makes of the configuration
 */
public final class ConfigReload<C> {
    /** How a reload ended. */
    public sealed interface Outcome {
        /** What was in force stays, and why. */
        record Kept(Rejection why) implements Outcome {
            @Override
            public String toString() {
                return "the configuration stays as it was: " + why;
            }
        }

        /**
         * The new one is in force.
         *
         * @param changed keys that have another value now
         * @param atRestart keys whose other value waits for a restart
         */
        record Taken(List<String> changed, List<String> atRestart) implements Outcome {
            @Override
            public String toString() {
                return "the configuration was read again: "
                        + (changed.isEmpty() ? "nothing changed" : String.join(", ", changed) + " changed")
                        + (atRestart.isEmpty()
                                ? ""
                                : "; " + String.join(", ", atRestart) + (atRestart.size() == 1 ? " waits" : " wait")
                                        + " for a restart");
            }
        }
    }

    private final Path file;
    private final ConfigReader program;
    private final Function<ConfigFile, Verdict<C>> reader;
    private final BiConsumer<ConfigFile, C> taker;
    private final ConfigFile started;
    private ConfigFile inForce;

    /**
     * @param started what the daemon was started with
     * @param reader makes the daemon's configuration of it, and judges what {@link ConfigFile} cannot
     * @param taker puts in force what can change while the daemon runs, {@link ConfigKey#atReload}
     */
    public ConfigReload(
            Path file,
            ConfigReader program,
            ConfigFile started,
            Function<ConfigFile, Verdict<C>> reader,
            BiConsumer<ConfigFile, C> taker) {
        this.file = file;
        this.program = program;
        this.started = started;
        this.inForce = started;
        this.reader = reader;
        this.taker = taker;
    }

    /** Reloads at each SIGHUP and says how that ended. */
    public void onHangup(Consumer<Outcome> told) {
        Signals.handle("HUP", () -> told.accept(run()));
    }

    /** Reloads now. */
    public synchronized Outcome run() {
        return switch (ConfigFile.read(file, program)) {
            case Verdict.Rejected<ConfigFile>(Rejection why) -> new Outcome.Kept(why);
            case Verdict.Accepted<ConfigFile>(ConfigFile next) ->
                switch (reader.apply(next)) {
                    case Verdict.Rejected<C>(Rejection why) -> new Outcome.Kept(why);
                    case Verdict.Accepted<C>(C config) -> take(next, config);
                };
        };
    }

    private Outcome take(ConfigFile next, C config) {
        List<String> changed = new ArrayList<>();
        List<String> atRestart = new ArrayList<>();
        for (ConfigKey<?> key : ConfigKeys.all()) {
            if (!key.readers().contains(program)) {
                continue;
            }
            if (key.atReload() && !inForce.value(key).equals(next.value(key))) {
                changed.add(key.name());
            } else if (!key.atReload() && !started.value(key).equals(next.value(key))) {
                atRestart.add(key.name());
            }
        }
        taker.accept(next, config);
        inForce = next;
        return new Outcome.Taken(List.copyOf(changed), List.copyOf(atRestart));
    }
}
