package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Subject;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
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
        EnrolledDevice read = EnrolledDevice.fromJson(Files.readAllBytes(file)).orThrow();
        return read.firstUse() ? vouched(read) : read;
    }

    /** A device that came by first use, with what a person says of its key now. A chain is seen at its next enrolment. */
    private EnrolledDevice vouched(EnrolledDevice device) throws IOException, RejectedException {
        return new AcceptedKeys(directory, Clock.systemUTC())
                .find(device.endorsement())
                .flatMap(KeyLine::grants)
                .or(() -> Optional.ofNullable(listed().get(device.endorsement())))
                .map(device::with)
                .orElse(device);
    }

    private Map<Sha256, Assurance> listed() {
        Path file = directory.root().resolve("enrolment.json");
        return Files.exists(file)
                        && EnrolmentPolicy.read(file)
                                instanceof Verdict.Accepted<EnrolmentPolicy>(EnrolmentPolicy policy)
                ? policy.allowed()
                : Map.of();
    }

    /** Whether both are the same keys, and so the same device. */
    static boolean isSame(EnrolledDevice one, EnrolledDevice other) {
        return one.signer().equals(other.signer())
                && one.attestationKey().equals(other.attestationKey())
                && one.endorsement().equals(other.endorsement());
    }

    /**
     * Keeps a device that was let in, or that may come with other keys.
     *
     * @param by who let it in, for the audit
     * @return the record that counts: where there is one with the same keys that one, since a second enrolment must not set its clock
     *     back, with what the device is granted now
     */
    EnrolledDevice enrol(EnrolledDevice fresh, String by, Clock clock) throws IOException, RejectedException {
        return directory.exclusively(() -> {
            String device = fresh.deviceId();
            FleetAudit audit = new FleetAudit(directory, clock);
            ObjectNode details = Json.object()
                    .put("endorsement", fresh.endorsement().hex())
                    .put("assurance", fresh.assurance().name());
            if (!directory.isEnrolled(device)) {
                audit.append("enrolled", device, details.put("letInBy", by));
                begin(fresh);
                LOG.info("enrolled {} with assurance {}, by {}", Subject.device(device), fresh.assurance(), by);
                return fresh;
            }
            EnrolledDevice known = read(device);
            if (isSame(known, fresh)) {
                return known.assurance() == fresh.assurance() ? known : granted(known, fresh, audit, details);
            }
            boolean may = Replacement.read(directory, device)
                    .filter(one -> one.lets(fresh, clock.instant()))
                    .isPresent();
            if (!may) {
                throw new RejectedException(
                        Code.ATT_ENROL,
                        "this device is enrolled with other keys; if its TPM was cleared or changed: fleet devices replace "
                                + device);
            }
            audit.append(
                    "replaced",
                    device,
                    details.put("before", known.endorsement().hex()));
            // It is good for one enrolment: after a power cut here somebody has to say it again.
            FleetDirectory.delete(directory.replacement(device));
            new KeyBindings(directory).unbind(known);
            begin(fresh);
            LOG.info("enrolled {} again, with other keys and assurance {}", Subject.device(device), fresh.assurance());
            return fresh;
        });
    }

    /** The grant is what lists and chains say now, not what they said once. */
    private EnrolledDevice granted(EnrolledDevice known, EnrolledDevice fresh, FleetAudit audit, ObjectNode details)
            throws IOException, RejectedException {
        String before = known.assurance().name();
        audit.append("granted", known.deviceId(), details.put("before", before));
        LOG.info("{} is granted {}, before it was {}", Subject.device(known.deviceId()), fresh.assurance(), before);
        EnrolledDevice changed = known.with(fresh.assurance());
        keep(changed);
        return changed;
    }

    private void begin(EnrolledDevice fresh) throws IOException {
        new KeyBindings(directory).bind(fresh);
        keep(fresh);
    }

    /**
     * Removes what the fleet knows of a device: keys, certificates, what was desired of it and what it said. The number of its last
     * order stays. A device that comes under the name enrols as a new one.
     *
     * @return whether it was enrolled; {@code FLT-ABSENT} where nothing is known of it
     */
    public boolean forget(String device, Clock clock) throws IOException, RejectedException {
        FleetDirectory.requireName(device);
        return directory.exclusively(() -> {
            boolean enrolled = directory.isEnrolled(device);
            if (!enrolled && DesiredModels.read(directory, device).isEmpty()) {
                throw new RejectedException(Code.FLT_ABSENT, "no device " + device + "; see fleet devices");
            }
            ObjectNode details = Json.object().put("enrolled", enrolled);
            Optional<EnrolledDevice> record = readable(device);
            record.ifPresent(
                    known -> details.put("endorsement", known.endorsement().hex()));
            new FleetAudit(directory, clock).append("forget", device, details);
            DesiredModels.forget(directory, device);
            FleetDirectory.delete(directory.replacement(device));
            new HeldOrders(directory).release(device);
            directory.forgetReports(device);
            LastVerdict.forget(directory, device);
            FleetDirectory.delete(directory.verdictLog(device));
            FleetDirectory.delete(directory.schedule(device));
            for (String kind : DeviceCertificates.KINDS) {
                FleetDirectory.delete(DeviceCertificates.file(directory, device, kind));
            }
            FleetDirectory.delete(directory.device(device));
            if (record.isPresent()) {
                new KeyBindings(directory).unbind(record.get());
            }
            return enrolled;
        });
    }

    /** As far as the record can be read: one that cannot is forgotten too. */
    private Optional<EnrolledDevice> readable(String device) throws IOException {
        try {
            return Optional.of(read(device));
        } catch (RejectedException e) {
            return Optional.empty();
        }
    }

    /**
     * Lets a device enrol once with other keys. What is desired of it stays.
     *
     * @param endorsement the endorsement key that the new keys must be in one TPM with; where empty, any
     * @return that; {@code ATT-NOT-ENROLLED} where it is not enrolled
     */
    public Replacement replace(String device, Optional<Sha256> endorsement, Duration life, Clock clock)
            throws IOException, RejectedException {
        FleetDirectory.requireName(device);
        return directory.exclusively(() -> {
            read(device);
            Replacement replacement =
                    new Replacement(endorsement, clock.instant().plus(life));
            new FleetAudit(directory, clock).append("replace", device, replacement.toJson());
            replacement.write(directory, device);
            return replacement;
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
