package dev.holdfast.fleet;

import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * Enrols devices that the policy lets in: first come, first served, and from then on the keys stay. One attempt per device is open at a time.
 * Those of devices that are enrolled already and those of others have places of their own. Thread-safe.
 */
final class EnrolmentService {
    private static final int MAX_OPEN = 1024;

    /** Longer than a slow TPM takes to answer. */
    private static final Duration ATTEMPT_LIFE = Duration.ofMinutes(5);

    private final FleetDirectory directory;
    private final EnrolmentPolicy policy;
    private final DeviceCertificates certificates;
    private final Clock clock;
    private final LongSupplier nanoTime;
    private final OpenAttempts<Open> enrolled = new OpenAttempts<>(MAX_OPEN, new SecureRandom());
    private final OpenAttempts<Open> others = new OpenAttempts<>(MAX_OPEN, new SecureRandom());

    EnrolmentService(FleetDirectory directory, EnrolmentPolicy policy, DeviceCertificates certificates, Clock clock) {
        this(directory, policy, certificates, clock, System::nanoTime);
    }

    EnrolmentService(
            FleetDirectory directory,
            EnrolmentPolicy policy,
            DeviceCertificates certificates,
            Clock clock,
            LongSupplier nanoTime) {
        this.directory = directory;
        this.policy = policy;
        this.certificates = certificates;
        this.clock = clock;
        this.nanoTime = nanoTime;
    }

    /** The challenge to a request that came on {@code device}'s own topic. */
    byte[] begin(String device, Binary request) throws RejectedException {
        EnrolmentAuthority.Attempt attempt =
                EnrolmentAuthority.begin(request.toArray(), policy, clock).orThrow();
        if (!attempt.deviceId().equals(device)) {
            throw new RejectedException(Code.ATT_ENROL, "the request names another device than its topic");
        }
        (directory.isEnrolled(device) ? enrolled : others).put(device, new Open(attempt, nanoTime.getAsLong()));
        return attempt.challenge();
    }

    /** @param sinceNanos by a clock that nobody sets */
    private record Open(EnrolmentAuthority.Attempt attempt, long sinceNanos) {}

    /** Ends the attempt, whatever comes of it. @return the last message to the device */
    byte[] complete(String device, Binary proof) throws IOException, RejectedException {
        Open found = take(device)
                .filter(one -> nanoTime.getAsLong() - one.sinceNanos() <= ATTEMPT_LIFE.toNanos())
                .orElseThrow(() -> new RejectedException(Code.ATT_ENROL, "no enrolment of this device is open"));
        EnrolledDevice fresh = found.attempt().complete(proof.toArray()).orThrow();
        // Another service may enrol the same device now: its record and its certificates belong to one and the same
        // attempt.
        return directory.exclusively(() -> {
            EnrolledDevice enrolled = new DeviceRecords(directory).enrol(fresh, clock);
            return EnrolmentAuthority.welcome(certificates.issue(enrolled));
        });
    }

    private Optional<Open> take(String device) {
        Optional<Open> known = enrolled.take(device);
        return known.isPresent() ? known : others.take(device);
    }
}
