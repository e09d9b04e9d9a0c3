package dev.holdfast.fleet;

import dev.holdfast.fleet.FleetDirectory.Config;
import dev.holdfast.fleet.settings.FleetLog;
import dev.holdfast.link.BrokerAccess;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Every setting of a fleet, in the order in which people are shown them: what {@code fleet.json} has, and {@code fleet settings} changes. */
public enum FleetSetting {
    NAME(
            new Place("fleet", "name", ""),
            "1 to 64 letters, digits, '_' or '-', the first a letter or digit; no dots",
            "required, by fleet init --name",
            At.NEVER,
            "The fleet's name, a part of each topic and of each device's configuration.",
            config -> Optional.of(config.name())),
    ATTEST_EVERY(
            new Place("evidence expected", "attestEverySeconds", "--attest-every"),
            "a time, such as P7D or 12h",
            "every P7D",
            At.ONCE,
            "How often each device's evidence is expected, and how often fleet serve asks for it; with --of, that of the"
                    + " devices named alone. fleet devices --overdue lists those of which none came for longer.",
            config -> Optional.of("every " + config.attest().every())),
    ATTEST_BY(
            new Place("evidence asked for", "attestAsks", "--attest-by"),
            "service, person",
            "service",
            At.RELOAD,
            "Whether fleet serve asks for evidence by itself; where a person does, or a timer, it asks nobody.",
            config -> Optional.of(config.attest().asks() ? "service" : "person")),
    ATTEST_POLICY(
            new Place("evidence policy", "attestPolicy", "--attest-policy"),
            "a path",
            "firmware at least",
            At.RELOAD,
            "Policy file by which fleet serve judges evidence.",
            config -> config.attest().policy().map(Path::toString)),
    KEEP_ARCHIVES(
            new Place("archives kept", "archiveSeconds", "--keep-archives"),
            "a time, such as P400D",
            "for P400D",
            At.ONCE,
            "How long the archives of evidence are kept in the fleet's folder; of one device at most 16 MiB.",
            config -> Optional.of("for " + config.attest().keep())),
    BROKER(
            new Place("broker", "broker", "--broker"),
            "mqtt://HOST[:PORT], or mqtts://HOST[:PORT] for TLS",
            "required, by fleet init --broker",
            At.RELOAD,
            "The broker. The ports are 1883, and 8883 with TLS.",
            config -> Optional.of(config.broker().address())),
    USER(
            new Place("broker user", "user", "--broker-user"),
            "1 to 256 characters",
            "none",
            At.RELOAD,
            "User name at the broker.",
            config -> Optional.of(access(config).user()).filter(name -> !name.isEmpty())),
    PASSWORD(
            new Place("broker password", "passwordFile", "--broker-password-file"),
            "a path",
            "none",
            At.RELOAD,
            "File whose first line is the password of the user. It is read at each connect, as the other files are;"
                    + " others than its owner and group may not read it.",
            config -> access(config).password().map(file -> "in " + file)),
    CERTIFICATE(
            new Place("broker certificate", "certificate", "--broker-certificate"),
            "a path",
            "none",
            At.RELOAD,
            "PEM: the certificate that TLS shows the broker, and those between it and its authority.",
            config -> access(config).certificate().map(Path::toString)),
    KEY(
            new Place("broker key", "key", "--broker-key"),
            "a path",
            "none",
            At.RELOAD,
            "PEM: the key of the certificate, not encrypted. Others than its owner and group may not read it.",
            config -> access(config).key().map(file -> "in " + file)),
    AUTHORITIES(
            new Place("broker authorities", "authorities", "--broker-authorities"),
            "a path; may be given several times",
            "Java's list",
            At.RELOAD,
            "PEM: who may have signed the certificate of a broker with TLS. While the broker's authority rolls over,"
                    + " name the old one and the new one.",
            config -> Optional.of(access(config).authorities().stream()
                            .map(Path::toString)
                            .collect(Collectors.joining(", ")))
                    .filter(files -> !files.isEmpty())),
    LOG_FORMAT(
            new Place("log format", "logFormat", "--log-format"),
            FleetLog.words(FleetLog.FORMATS),
            "auto",
            At.RELOAD,
            "The form of log lines of fleet serve: text for people, json with one object a line, journal for entries"
                    + " of the systemd journal with fields; auto is journal where standard error leads there, else text.",
            config -> Optional.of(config.log().format())),
    LOG_LEVEL(
            new Place("log level", "logLevel", "--log-level"),
            FleetLog.words(FleetLog.LEVELS),
            "info",
            At.RELOAD,
            "The least important lines of fleet serve that are written.",
            config -> Optional.of(config.log().level()));

    /** When another value is taken. */
    public enum At {
        /** By {@code fleet serve} at SIGHUP. */
        RELOAD,
        /** Each command reads it anew. */
        ONCE,
        /** Another name is another fleet. */
        NEVER
    }

    /**
     * Where it is.
     *
     * @param label as people are shown it
     * @param key in the JSON of {@code fleet settings}
     * @param option that changes it; empty where nothing does
     */
    public record Place(String label, String key, String option) {}

    private final Place place;
    private final String values;
    private final String otherwise;
    private final At at;
    private final String meaning;
    private final Function<Config, Optional<String>> value;

    FleetSetting(
            Place place,
            String values,
            String otherwise,
            At at,
            String meaning,
            Function<Config, Optional<String>> value) {
        this.place = place;
        this.values = values;
        this.otherwise = otherwise;
        this.at = at;
        this.meaning = meaning;
        this.value = value;
    }

    private static BrokerAccess.Settings access(Config config) {
        return config.broker().settings();
    }

    public Place place() {
        return place;
    }

    /** When another value is taken. */
    public At at() {
        return at;
    }

    /** The value for a person; empty where none is set. */
    public Optional<String> value(Config config) {
        return value.apply(config);
    }

    /** The value, or what holds without one. */
    public String shown(Config config) {
        return value(config).orElse(otherwise);
    }

    /** The page of all settings, in Markdown. */
    public static String reference() {
        StringBuilder out = new StringBuilder("""
            # Settings of a fleet

            <!-- Made by: fleet settings --reference -->

            `fleet.json` in the fleet's folder has them. `fleet settings` shows them, `fleet settings OPTION VALUE` changes one, and
            checks all before it writes any. It holds no secret, only the names of files that do.

            A running `fleet serve` takes what changed at `systemctl reload holdfast-fleet`, or SIGHUP: all of it or, where anything does not
            hold, nothing; the log says which. With another way to the broker it connects anew.

            | setting | option | value | default | taken at | what |
            |---|---|---|---|---|---|
            """);
        for (FleetSetting one : values()) {
            String option = one.place.option().isEmpty() ? "-" : "`" + one.place.option() + "`";
            out.append("| %s | %s | %s | %s | %s | %s |\n"
                    .formatted(
                            one.place.label(),
                            option,
                            one.values,
                            one.otherwise,
                            switch (one.at) {
                                case RELOAD -> "reload";
                                case ONCE -> "at once";
                                case NEVER -> "-";
                            },
                            one.meaning));
        }
        return out.toString();
    }
}
