package dev.holdfast.fleet;

import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;

/**
 * Enrols devices that {@link Admission} lets in; the others wait in {@link PendingDevices}. From then on the keys stay. One attempt per
 * device is open at a time. Those of devices that are enrolled already and those of others have places of their own. Thread-safe.
 */
final class EnrolmentService {
    private static final int MAX_OPEN = 1024;

    /** Longer than a slow TPM takes to answer. */
    private static final Duration ATTEMPT_LIFE = Duration.ofMinutes(5);

    private final FleetDirectory directory;
    private final Supplier<EnrolmentPolicy> policy;
    private final Admission admission;
    private final PendingDevices pending;
    private final RandomGenerator random = new SecureRandom();
    private final DeviceCertificates certificates;
    private final Clock clock;
    private final LongSupplier nanoTime;
    private final OpenAttempts<Open> enrolled = new OpenAttempts<>(MAX_OPEN, new SecureRandom());
    private final OpenAttempts<Open> others = new OpenAttempts<>(MAX_OPEN, new SecureRandom());

    EnrolmentService(
            FleetDirectory directory, Supplier<EnrolmentPolicy> policy, DeviceCertificates certificates, Clock clock)
            throws IOException, RejectedException {
        this(directory, policy, certificates, new PendingDevices(directory), clock, System::nanoTime);
    }

    EnrolmentService(
            FleetDirectory directory,
            Supplier<EnrolmentPolicy> policy,
            DeviceCertificates certificates,
            PendingDevices pending,
            Clock clock,
            LongSupplier nanoTime)
            throws IOException, RejectedException {
        this.directory = directory;
        this.policy = policy;
        this.certificates = certificates;
        this.clock = clock;
        this.nanoTime = nanoTime;
        this.pending = pending;
        this.admission = new Admission(directory, clock);
        directory.exclusively(() -> {
            new KeyBindings(directory).complete();
            return directory;
        });
    }

    /** The challenge to a request that came on {@code device}'s own topic. */
    byte[] begin(String device, Binary request) throws RejectedException {
        EnrolmentAuthority.Attempt attempt =
                EnrolmentAuthority.begin(request.toArray(), policy.get(), clock).orThrow();
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
        EnrolmentAuthority.Attempt attempt = found.attempt();
        byte[] bytes = proof.toArray();
        EnrolledDevice fresh = attempt.complete(bytes).orThrow();
        Admission.Asked asked = new Admission.Asked(fresh, attempt, attempt.claim(bytes));
        // Strangers wait for the lock only where they may come in.
        if (admission.decide(asked, policy.get()) instanceof Admission.Wait(Assurance grants, String why)) {
            throw waits(fresh, grants, why);
        }
        // Another service may enrol the same device now: its record and its certificates belong to one and the same
        // attempt, and so does the use of a token.
        return directory.exclusively(() -> EnrolmentAuthority.welcome(certificates.issue(admit(asked))));
    }

    private EnrolledDevice admit(Admission.Asked asked) throws IOException, RejectedException {
        DeviceRecords records = new DeviceRecords(directory);
        EnrolledDevice enrolled = switch (admission.decide(asked, policy.get())) {
            case Admission.Admit(EnrolledDevice device, String by) -> records.enrol(device, by, clock);
            case Admission.AdmitByToken use ->
                records.enrol(use.device(), "token " + admission.count(asked, use), clock);
            case Admission.Wait(Assurance grants, String why) -> throw waits(asked.fresh(), grants, why);
        };
        pending.remove(enrolled.endorsement());
        return enrolled;
    }

    /** Writes down that the device waits. @return what it is told */
    private RejectedException waits(EnrolledDevice device, Assurance grants, String why)
            throws IOException, RejectedException {
        Instant now = clock.instant();
        pending.add(new PendingDevices.Pending(device.deviceId(), device.endorsement(), grants, why, now, now), random);
        return new RejectedException(
                Code.ATT_PENDING,
                "waits to be let in: fleet devices accept " + device.deviceId() + "; its key is " + device.endorsement()
                        + " (" + PendingDevices.shortened(why) + ")");
    }

    private Optional<Open> take(String device) {
        Optional<Open> known = enrolled.take(device);
        return known.isPresent() ? known : others.take(device);
    }
}
