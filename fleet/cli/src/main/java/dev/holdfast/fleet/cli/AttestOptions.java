package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.AttestSettings;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.attest.Attestation;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How often, by what and by whom evidence is asked for. */
final class AttestOptions {
    /** Who asks. */
    enum By {
        SERVICE,
        PERSON
    }

    @Option(
            names = "--attest-every",
            paramLabel = "TIME",
            description =
                    "How often each device's evidence is expected and asked for, such as P7D (the default) or 12h; fleet"
                            + " devices --overdue lists those of which none came for longer.")
    Optional<Duration> every = Optional.empty();

    @Option(
            names = "--of",
            paramLabel = "DEVICE",
            split = ",",
            description = "With --attest-every: for these devices alone; without it, they are as all others again.")
    List<String> devices = List.of();

    @Option(
            names = "--attest-by",
            paramLabel = "WHO",
            description = "Who asks for evidence: service, which is fleet serve, or person, in any case.")
    Optional<By> by = Optional.empty();

    @Option(
            names = "--attest-policy",
            paramLabel = "FILE",
            description = "Policy by which fleet serve judges evidence.")
    Optional<Path> policy = Optional.empty();

    @Option(
            names = "--keep-archives",
            paramLabel = "TIME",
            description = "How long archives of evidence are kept in the fleet's folder, such as P400D (the default).")
    Optional<Duration> keep = Optional.empty();

    boolean isOfDevices() {
        return !devices.isEmpty();
    }

    /** The settings of all devices with what was given. */
    AttestSettings over(AttestSettings before) throws IOException, RejectedException {
        AttestSettings after = new AttestSettings(
                isOfDevices() ? before.every() : every.orElse(before.every()),
                by.map(who -> who == By.SERVICE).orElse(before.asks()),
                policy.map(Path::toAbsolutePath).or(before::policy),
                keep.orElse(before.keep()));
        if (policy.isPresent()) {
            Attestation.policy(after);
        }
        return after;
    }

    /** Gives the named devices an interval of their own, or that of all again. */
    void change(FleetDirectory directory, PrintWriter out) throws IOException, RejectedException {
        for (String device : devices) {
            FleetDirectory.requireName(device);
            if (!directory.isEnrolled(device)) {
                throw new RejectedException(Code.ATT_NOT_ENROLLED, device + " is not enrolled; nothing was changed");
            }
        }
        for (String device : devices) {
            AttestSettings.expect(directory, device, every, Clock.systemUTC());
            out.println(device + ": evidence is expected every "
                    + directory.config().attest().every(directory, device));
        }
    }
}
