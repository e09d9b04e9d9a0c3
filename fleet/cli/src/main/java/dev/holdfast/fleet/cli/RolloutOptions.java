package dev.holdfast.fleet.cli;

import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalTime;
import java.time.format.DateTimeParseException;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The terms of an order on the command line. */
final class RolloutOptions {
    private static final String DEFAULT_ID = "once";

    @Option(names = "--rollout", paramLabel = "NAME", description = "Name of the rollout; devices spread by it.")
    Optional<String> id = Optional.empty();

    @Option(
            names = "--start",
            paramLabel = "TIME",
            description = "When the first device may begin, such as 2026-03-01T22:00:00Z.")
    Optional<Instant> start = Optional.empty();

    @Option(names = "--spread", paramLabel = "TIME", description = "Over how long the devices begin, such as PT4H.")
    Optional<Duration> spread = Optional.empty();

    @Option(
            names = "--window",
            paramLabel = "FROM-TO",
            description = "When a model may be swapped, in UTC: 23:00-02:00. It downloads before.")
    Optional<String> window = Optional.empty();

    @Option(names = "--byte-budget", paramLabel = "BYTES", description = "Most bytes that a device may pull for it.")
    Optional<Long> byteBudget = Optional.empty();

    /** Empty where no option was given. */
    Optional<Rollout> terms(Clock clock) throws RejectedException {
        if (id.isEmpty() && start.isEmpty() && spread.isEmpty() && window.isEmpty() && byteBudget.isEmpty()) {
            return Optional.empty();
        }
        try {
            Instant begin = start.orElse(spread.isPresent() ? clock.instant() : Instant.EPOCH);
            Optional<Rollout.Window> open = window.isPresent() ? Optional.of(window(window.get())) : Optional.empty();
            Rollout terms = new Rollout(
                    id.orElse(DEFAULT_ID),
                    Instant.ofEpochSecond(begin.getEpochSecond()),
                    spread.orElse(Duration.ZERO),
                    open,
                    byteBudget.orElse(Long.MAX_VALUE));
            // What devices would refuse is refused here.
            return Optional.of(Rollout.fromJson(terms.toJson()).orThrow());
        } catch (DateTimeParseException e) {
            throw new RejectedException(Code.CFG_INVALID, "--window takes FROM-TO in UTC, such as 23:00-02:00");
        } catch (IllegalArgumentException e) {
            throw new RejectedException(Code.CFG_INVALID, String.valueOf(e.getMessage()));
        }
    }

    private static Rollout.Window window(String text) {
        int dash = text.indexOf('-');
        int from = minute(text.substring(0, Math.max(dash, 0)));
        int to = minute(text.substring(dash + 1));
        return new Rollout.Window(from, from < to ? to - from : to - from + 24 * 60);
    }

    private static int minute(String text) {
        return LocalTime.parse(text).toSecondOfDay() / 60;
    }
}
