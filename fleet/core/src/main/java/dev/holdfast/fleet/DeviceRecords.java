package dev.holdfast.fleet;

import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the fleet knows of each enrolled device, {@code devices/<device>.json}. A record is read, decided upon and replaced in one step,
 * whoever else does so: keys that came first stay, and what is remembered of a device's clock and epoch floors never
 * falls. It goes with the record.
 */
public record DeviceRecords(FleetDirectory directory) {
    private static final Logger LOG = LoggerFactory.getLogger(DeviceRecords.class);

    /** What is made of evidence, given what is known of its device. */
    @FunctionalInterface
    public interface Appraiser {
        Appraisal appraise(EnrolledDevice device) throws IOException, RejectedException;
    }

    /** An appraisal, and the record that it was made against. */
    public record Appraised(EnrolledDevice device, Appraisal appraisal) {}

    /** {@code ATT-NOT-ENROLLED} where there is none. */
    public EnrolledDevice read(String device) throws IOException, RejectedException {
        Path file = directory.device(device);
        if (!Files.exists(file)) {
            throw new RejectedException(Code.ATT_NOT_ENROLLED, device + " is not enrolled");
        }
        return EnrolledDevice.fromJson(Files.readAllBytes(file)).orThrow();
    }

    /**
     * Keeps a device that was not enrolled before.
     *
     * @return the record that counts: the known one where there is one with the same keys, since a second enrolment must not set its
     *     clock back
     */
    EnrolledDevice enrol(EnrolledDevice fresh) throws IOException, RejectedException {
        return directory.exclusively(() -> {
            if (!Files.exists(directory.device(fresh.deviceId()))) {
                keep(fresh);
                LOG.info("enrolled {} with assurance {}", fresh.deviceId(), fresh.assurance());
                return fresh;
            }
            EnrolledDevice known = read(fresh.deviceId());
            boolean same = known.signer().equals(fresh.signer())
                    && known.attestationKey().equals(fresh.attestationKey())
                    && known.endorsement().equals(fresh.endorsement());
            if (!same) {
                throw new RejectedException(Code.ATT_ENROL, "this device is enrolled with other keys");
            }
            return known;
        });
    }

    /** Appraises evidence against the newest record, and remembers what it shows of the device's clock and epoch floors. */
    public Appraised appraise(String device, Appraiser appraiser) throws IOException, RejectedException {
        // Signatures and the replay of a log take a while: others may write meanwhile, and then it is done again.
        while (true) {
            EnrolledDevice known = read(device);
            Appraisal appraisal = appraiser.appraise(known);
            boolean kept = directory.exclusively(() -> {
                boolean newest = read(device).equals(known);
                if (newest) {
                    keep(appraisal.remember(known, Instant.now()));
                }
                return newest;
            });
            if (kept) {
                return new Appraised(known, appraisal);
            }
        }
    }

    private void keep(EnrolledDevice device) throws IOException {
        FleetDirectory.replace(directory.device(device.deviceId()), Json.write(device.toJson()));
    }
}
