package dev.holdfast.fleet;

import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Enrols devices that the policy lets in: first come, first served, and from then on the keys stay. One attempt per device is open at a time, and
 * the oldest are dropped when too many are. Thread-safe.
 */
final class EnrolmentService {
    private static final int MAX_OPEN = 1024;

    /** Longer than a slow TPM takes to answer. */
    private static final Duration ATTEMPT_LIFE = Duration.ofMinutes(5);

    private final FleetDirectory directory;
    private final EnrolmentPolicy policy;
    private final DeviceCertificates certificates;
    private final Clock clock;
    private final Map<String, Open> open = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Open> eldest) {
            return size() > MAX_OPEN;
        }
    };

    EnrolmentService(FleetDirectory directory, EnrolmentPolicy policy, DeviceCertificates certificates, Clock clock) {
        this.directory = directory;
        this.policy = policy;
        this.certificates = certificates;
        this.clock = clock;
    }

    /** The challenge to a request that came on {@code device}'s own topic. */
    synchronized byte[] begin(String device, Binary request) throws RejectedException {
        EnrolmentAuthority.Attempt attempt =
                EnrolmentAuthority.begin(request.toArray(), policy, clock).orThrow();
        if (!attempt.deviceId().equals(device)) {
            throw new RejectedException(Code.ATT_ENROL, "the request names another device than its topic");
        }
        open.put(device, new Open(attempt, clock.instant().plus(ATTEMPT_LIFE)));
        return attempt.challenge();
    }

    private record Open(EnrolmentAuthority.Attempt attempt, Instant until) {}

    /** Ends the attempt, whatever comes of it. @return the last message to the device */
    byte[] complete(String device, Binary proof) throws IOException, RejectedException {
        Open found = take(device);
        if (found == null || clock.instant().isAfter(found.until())) {
            throw new RejectedException(Code.ATT_ENROL, "no enrolment of this device is open");
        }
        EnrolledDevice fresh = found.attempt().complete(proof.toArray()).orThrow();
        // Another service may enrol the same device now: its record and its certificates belong to one and the same
        // attempt.
        return directory.exclusively(() -> {
            EnrolledDevice enrolled = new DeviceRecords(directory).enrol(fresh);
            return EnrolmentAuthority.welcome(certificates.issue(enrolled));
        });
    }

    private synchronized @Nullable Open take(String device) {
        return open.remove(device);
    }
}
