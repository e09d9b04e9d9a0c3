package dev.holdfast.fleet;

import dev.holdfast.attestation.EnrolledDevice;
import dev.holdfast.attestation.EnrolmentAuthority;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Enrols devices: first come, first served, and from then on the keys stay. One attempt per device is open at a time, and
 * the oldest are dropped when too many are. Thread-safe.
 */
final class EnrolmentDesk {
    private static final Logger LOG = LoggerFactory.getLogger(EnrolmentDesk.class);
    private static final int MAX_OPEN = 1024;

    private final FleetDirectory directory;
    private final Map<String, EnrolmentAuthority.Attempt> open = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, EnrolmentAuthority.Attempt> eldest) {
            return size() > MAX_OPEN;
        }
    };

    EnrolmentDesk(FleetDirectory directory) {
        this.directory = directory;
    }

    /** The challenge to a request that came on {@code device}'s own topic. */
    synchronized byte[] begin(String device, Binary request) throws RejectedException {
        EnrolmentAuthority.Attempt attempt =
                EnrolmentAuthority.begin(request.toArray()).orThrow();
        if (!attempt.deviceId().equals(device)) {
            throw new RejectedException(Code.ATT_ENROL, "the request names another device than its topic");
        }
        open.put(device, attempt);
        return attempt.challenge();
    }

    /** Ends the attempt, whatever comes of it. */
    synchronized void complete(String device, Binary proof) throws IOException, RejectedException {
        EnrolmentAuthority.Attempt attempt = open.remove(device);
        if (attempt == null) {
            throw new RejectedException(Code.ATT_ENROL, "no enrolment of this device is open");
        }
        EnrolledDevice fresh = attempt.complete(proof.toArray()).orThrow();
        Path file = directory.device(device);
        if (Files.exists(file)) {
            EnrolledDevice known =
                    EnrolledDevice.fromJson(Files.readAllBytes(file)).orThrow();
            boolean same = known.signer().equals(fresh.signer())
                    && known.attestationKey().equals(fresh.attestationKey())
                    && known.endorsement().equals(fresh.endorsement());
            if (!same) {
                throw new RejectedException(Code.ATT_ENROL, "this device is enrolled with other keys");
            }
            // The known record stays: a second enrolment must not set its clock back.
            return;
        }
        FleetDirectory.replace(file, Json.write(fresh.toJson()));
        LOG.info("enrolled {} with assurance {}", device, fresh.assurance());
    }
}
