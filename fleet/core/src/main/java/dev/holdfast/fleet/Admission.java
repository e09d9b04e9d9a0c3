package dev.holdfast.fleet;

import dev.holdfast.attestation.DeviceName;
import dev.holdfast.attestation.EnrolmentMessage;
import dev.holdfast.attestation.EnrolmentToken;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.time.Clock;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Whether a device that proved its keys is let in, and with what. Nobody comes in by asking alone: somebody listed its key, pinned its
 * maker, accepted it, or gave its image a token. One key is one device, under one name. Decisions read files and change nothing.
 */
final class Admission {
    private final FleetDirectory directory;
    private final AcceptedKeys keys;
    private final EnrolmentTokens tokens;
    private final KeyBindings bindings;

    Admission(FleetDirectory directory, Clock clock) {
        this.directory = directory;
        this.keys = new AcceptedKeys(directory, clock);
        this.tokens = new EnrolmentTokens(directory, clock);
        this.bindings = new KeyBindings(directory);
    }

    /**
     * A device whose proof holds.
     *
     * @param fresh its keys, and the name that it asks for
     * @param claim on a token; empty where it has none
     */
    record Asked(
            EnrolledDevice fresh, EnrolmentAuthority.Attempt attempt, Optional<EnrolmentMessage.TokenClaim> claim) {}

    /** What comes of it; what is refused is an exception. */
    sealed interface Decision {}

    /**
     * It is let in.
     *
     * @param device with what it is granted
     * @param by who let it in, for the audit
     */
    record Admit(EnrolledDevice device, String by) implements Decision {}

    /** It is let in by a use of a token, which is to be counted first. */
    record AdmitByToken(EnrolledDevice device, EnrolmentMessage.TokenClaim claim) implements Decision {}

    /** It waits for a person. @param grants what it gets where nobody says more */
    record Wait(Assurance grants, String why) implements Decision {}

    /** {@code ATT-ENROL} where it is not let in, and waiting would not help. */
    Decision decide(Asked asked, EnrolmentPolicy policy) throws IOException, RejectedException {
        EnrolledDevice fresh = asked.fresh();
        String device = fresh.deviceId();
        Optional<KeyLine> line = keys.find(fresh.endorsement());
        if (line.filter(KeyLine::refused).isPresent()) {
            throw refused("whoever runs the fleet rejected this device's key");
        }
        if (DeviceName.isDerived(device) && !device.equals(DeviceName.of(fresh.endorsement()))) {
            throw refused("the name " + device + " comes from another device's key");
        }
        EnrolmentPolicy.Grant grant = asked.attempt().grant();
        EnrolledDevice granted = fresh.with(line.flatMap(KeyLine::grants)
                .map(rank -> EnrolmentPolicy.capped(rank, asked.attempt().declared()))
                .orElse(grant.assurance()));
        boolean enrolled = directory.isEnrolled(device);
        if (enrolled && DeviceRecords.isSame(new DeviceRecords(directory).read(device), granted)) {
            return new Admit(granted, "keys that are known");
        }
        Optional<String> other = bindings.other(granted);
        if (other.isPresent()) {
            throw refused("this device's key is enrolled as " + other.get()
                    + "; where that name is given up: fleet devices" + " forget " + other.get());
        }
        if (enrolled) {
            return new Admit(granted, "a replacement");
        }
        requireName(device, granted.endorsement(), line);
        if (line.isPresent()) {
            return new Admit(granted, "accepted");
        }
        return switch (grant.basis()) {
            case LISTED -> new Admit(granted, "enrolment.json");
            case CHAINED -> new Admit(granted, "its maker's certificate");
            case NOBODY -> byToken(asked, granted, grant.why(), policy);
        };
    }

    private void requireName(String device, Sha256 endorsement, Optional<KeyLine> line)
            throws IOException, RejectedException {
        Optional<String> listed = line.flatMap(KeyLine::device);
        if (listed.isPresent() && !listed.get().equals(device)) {
            throw refused("this device's key is accepted as " + listed.get() + ", and it calls itself " + device);
        }
        Optional<Sha256> keptFor = keys.keptFor(device);
        if (keptFor.isPresent() && !keptFor.get().equals(endorsement)) {
            throw refused("the name " + device + " is kept for another key");
        }
    }

    private Decision byToken(Asked asked, EnrolledDevice granted, String why, EnrolmentPolicy policy)
            throws IOException, RejectedException {
        String reason = why;
        if (asked.claim().isPresent()) {
            EnrolmentMessage.TokenClaim claim = asked.claim().get();
            Optional<String> refusal = tokens.refusal(claim, holds(asked, claim), granted.endorsement());
            if (refusal.isEmpty()) {
                return new AdmitByToken(granted, claim);
            }
            reason = refusal.get() + "; " + why;
        }
        if (!policy.pending()) {
            throw refused("nobody vouches for this device: " + reason);
        }
        return new Wait(granted.assurance(), reason);
    }

    private static Predicate<EnrolmentToken> holds(Asked asked, EnrolmentMessage.TokenClaim claim) {
        return token -> asked.attempt().holds(claim, token);
    }

    /** Counts the use. To be called {@linkplain FleetDirectory#exclusively exclusively}. @return the token's id */
    String count(Asked asked, AdmitByToken admit) throws IOException, RejectedException {
        Optional<String> refusal = tokens.use(
                admit.claim(), holds(asked, admit.claim()), admit.device().endorsement());
        if (refusal.isPresent()) {
            throw refused(refusal.get());
        }
        return admit.claim().token();
    }

    private static RejectedException refused(String detail) {
        return new RejectedException(Code.ATT_ENROL, detail);
    }
}
