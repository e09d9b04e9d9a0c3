package dev.holdfast.control.config;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The one configuration of a device, in TOML: a file, and the drop-ins {@code conf.d/*.toml} beside it, of which the last by name that has
 * a key wins. Each program reads its own keys. Relative paths count from the folder of the file, in drop-ins too. What does not hold is
 * {@code CFG-INVALID}, a key that nobody knows too. Immutable.
 */
public final class ConfigFile {
    /** Where the package puts it. */
    public static final String DEFAULT = "/etc/holdfast/holdfast.toml";

    private static final String OPTION = "--config";

    private final ConfigSources sources;
    private final Path home;
    /** Whose values were checked. */
    private final Set<ConfigReader> programs;

    private ConfigFile(ConfigSources sources, Path home, Set<ConfigReader> programs) {
        this.sources = sources;
        this.home = home;
        this.programs = programs;
    }

    /**
     * The file that a daemon's arguments name: {@code --config FILE}, {@code --config=FILE}, or {@link #DEFAULT} where there are none.
     *
     * @return empty where they say anything else
     */
    public static Optional<Path> named(List<String> arguments) {
        if (arguments.isEmpty()) {
            return Optional.of(Path.of(DEFAULT));
        }
        String first = arguments.getFirst();
        if (arguments.size() == 2 && first.equals(OPTION)) {
            return Optional.of(Path.of(arguments.getLast()));
        }
        return arguments.size() == 1 && first.startsWith(OPTION + "=")
                ? Optional.of(Path.of(first.substring(OPTION.length() + 1)))
                : Optional.empty();
    }

    /** Reads what {@code program} needs: every value that it takes is checked, and of the others that they have a known key. */
    public static Verdict<ConfigFile> read(Path file, ConfigReader program) {
        ConfigFile config = of(file, EnumSet.of(program));
        List<ConfigProblem> problems = config.problems();
        return problems.isEmpty()
                ? Verdict.accepted(config)
                : new Verdict.Rejected<>(problems.getFirst().rejection(problems.size() - 1));
    }

    /** The same without judgement: {@link #problems()} says what does not hold. */
    public static ConfigFile of(Path file) {
        return of(file, EnumSet.allOf(ConfigReader.class));
    }

    private static ConfigFile of(Path file, Set<ConfigReader> programs) {
        return new ConfigFile(
                ConfigSources.read(file),
                file.toAbsolutePath().resolveSibling(".").normalize(),
                programs);
    }

    /** Everything that is wrong for whom it was read, in the order of files and lines. */
    public List<ConfigProblem> problems() {
        List<ConfigProblem> problems = new ArrayList<>(sources.problems());
        boolean readable = problems.stream().noneMatch(problem -> problem.key().isEmpty());
        for (ConfigKey<?> key : ConfigKeys.all()) {
            if (!isRead(key)) {
                continue;
            }
            Optional<ConfigEntry> entry = entry(key);
            if (entry.isPresent()) {
                try {
                    key.form().read(entry.get().value(), home);
                } catch (RejectedException e) {
                    problems.add(entry.get().problem(key.name(), e.rejection().detail()));
                }
            } else if (readable && !Collections.disjoint(key.required(), programs)) {
                problems.add(new ConfigProblem(
                        sources.file(),
                        TomlPositions.At.START,
                        key.name(),
                        "is missing: add " + key.name() + " = " + key.form().example()));
            }
        }
        if (problems.isEmpty() && isRead(ConfigKeys.MAX_SEQUENCES_PER_USER)) {
            moreForOneThanForAll().ifPresent(problems::add);
        }
        problems.sort(ConfigSources.IN_ORDER_OF_FILES);
        return List.copyOf(problems);
    }

    private boolean isRead(ConfigKey<?> key) {
        return !Collections.disjoint(key.readers(), programs);
    }

    private Optional<ConfigProblem> moreForOneThanForAll() {
        long all = get(ConfigKeys.MAX_SEQUENCES);
        return find(ConfigKeys.MAX_SEQUENCES_PER_USER)
                .filter(one -> one > all)
                .flatMap(one -> entry(ConfigKeys.MAX_SEQUENCES_PER_USER)
                        .map(entry -> entry.problem(
                                ConfigKeys.MAX_SEQUENCES_PER_USER.name(),
                                "must be at most max-sequences, which is " + all + "; it is " + one)));
    }

    /** The files that were read: the file itself, then its drop-ins. */
    public List<Path> files() {
        return sources.files();
    }

    /** The value of a key that has a default or is required, of which {@link #read} saw that it holds. */
    public <T> T get(ConfigKey<T> key) {
        return find(key).orElseThrow(() -> new IllegalStateException(key.name() + " has no default"));
    }

    /** The value of a key; empty where it has none, and none by default. */
    public <T> Optional<T> find(ConfigKey<T> key) {
        if (!isRead(key)) {
            throw new IllegalStateException(key.name() + " does not name " + programs + " among its readers");
        }
        return value(key).map(value -> {
            try {
                return key.form().read(value, home);
            } catch (RejectedException e) {
                throw new IllegalStateException(
                        key.name() + " was not checked: " + e.rejection().detail(), e);
            }
        });
    }

    /** The value as it is written; empty where there is none, and none by default. */
    public Optional<JsonNode> value(ConfigKey<?> key) {
        return entry(key).map(ConfigEntry::value).or(key::fallback);
    }

    /** Where the value is from; empty where no file has it. */
    public Optional<ConfigEntry> entry(ConfigKey<?> key) {
        return Optional.ofNullable(sources.entries().get(key.name()));
    }

    /** The model store: the agent writes it, the inference process reads it. */
    public Path storeDir() {
        return get(ConfigKeys.STATE).resolve("store");
    }

    public SocketPaths sockets() {
        return new SocketPaths(
                get(ConfigKeys.CONTROL_SOCKET),
                get(ConfigKeys.INFERENCE_SOCKET),
                get(ConfigKeys.INFERENCE_CONTROL_SOCKET));
    }

    public static RejectedException invalid(String detail) {
        return new RejectedException(Code.CFG_INVALID, detail);
    }
}
