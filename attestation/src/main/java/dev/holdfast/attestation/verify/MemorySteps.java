package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.EvidenceClaims;
import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.tee.tpm.TpmAttest;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The part of an appraisal that holds evidence against what was seen of the device before: its time and its epoch floors never fall.
 * Evidence that was made before something was seen is not held against that. Used once, by one thread.
 */
final class MemorySteps {
    private final EvidenceVerifier.Asked asked;
    private final DeviceMemory memory;
    private final CheckList checks;

    MemorySteps(EvidenceVerifier.Asked asked, DeviceMemory memory, CheckList checks) {
        this.asked = asked;
        this.memory = memory;
        this.checks = checks;
    }

    static DeviceTime made(TpmAttest attest) {
        return new DeviceTime(attest.resetCount(), attest.clockMillis());
    }

    void judge(TpmAttest attest, EvidenceClaims claims) {
        clock(attest, claims);
        floors(made(attest), claims);
    }

    /** Evidence answers a nonce, so it was made after everything that had been seen when the nonce was sent. */
    private void clock(TpmAttest attest, EvidenceClaims claims) {
        DeviceTime made = made(attest);
        Optional<DeviceTime> least = switch (asked) {
            case EvidenceVerifier.Asked.Last last -> Optional.of(memory.newest());
            case EvidenceVerifier.Asked.After(DeviceTime seen) -> Optional.of(seen);
            case EvidenceVerifier.Asked.Unknown unknown -> Optional.empty();
        };
        String detail = made + (attest.clockSafe() ? "" : " (after an unclean stop)");
        boolean consistent = claims.bootCount() == attest.resetCount();
        if (consistent && least.isEmpty() && made.isBefore(memory.newest())) {
            checks.weaken(
                    "clock",
                    Code.ATT_CLOCK,
                    detail + " is before the newest that was seen, " + memory.newest()
                            + ": this evidence is an old one, or the TPM was put back. When it was asked for decides that");
        } else {
            checks.require(
                    "clock",
                    consistent && !made.isBefore(least.orElse(DeviceTime.START)),
                    Code.ATT_CLOCK,
                    () -> detail + ", seen before was " + least.orElse(memory.newest()),
                    () -> consistent
                            ? "expected nothing from before " + least.orElse(memory.newest()) + ", got " + detail
                            : "expected boot " + attest.resetCount() + " as the quote has it, got claims of boot "
                                    + claims.bootCount());
        }
    }

    private void floors(DeviceTime made, EvidenceClaims claims) {
        // Of a model and its releases in their grace the same may be said.
        Set<String> wrong = new LinkedHashSet<>();
        Set<String> held = new LinkedHashSet<>();
        for (Measured model : claims.models()) {
            DeviceMemory.Floor floor = memory.floors().get(model.event().model());
            if (floor != null) {
                fall(floor, made, model, claims.epochFloors()).ifPresentOrElse(wrong::add, () -> {
                    if (!made.isBefore(floor.since())) {
                        held.add(model.event().model() + " " + floor.epoch());
                    }
                });
            }
        }
        for (Measured model : claims.models()) {
            long floor = claims.epochFloors().getOrDefault(model.event().model(), 0L);
            if (model.isInGrace()
                    && ModelSteps.inService(model)
                    && model.event().epoch() < floor) {
                wrong.add(ModelName.id(model.event().model(), model.event().version()) + " in its grace has epoch "
                        + model.event().epoch() + ", the floor is " + floor);
            }
        }
        Set<String> all = new HashSet<>(memory.floors().keySet());
        claims.epochFloors().forEach((model, epoch) -> {
            if (epoch > 0) {
                all.add(model);
            }
        });
        if (all.size() > DeviceMemory.MAX_FLOORS) {
            wrong.add("it has shown floors of more than " + DeviceMemory.MAX_FLOORS + " models");
        }
        checks.require(
                "epoch-floors",
                wrong.isEmpty(),
                Code.ATT_FLOOR,
                () -> held.isEmpty()
                        ? "no floor of these models was seen before"
                        : "at least those seen before: " + String.join(", ", held),
                () -> String.join("; ", wrong));
    }

    private static Optional<String> fall(
            DeviceMemory.Floor seen, DeviceTime made, Measured model, Map<String, Long> shown) {
        String name = model.event().model();
        long now = shown.getOrDefault(name, 0L);
        String before = seen.epoch() + " was seen in boot " + seen.since().resetCount();
        if (made.isBefore(seen.since())) {
            // An older one with a higher floor: the device fell between the two.
            return now > seen.epoch()
                    ? Optional.of(
                            name + " has floor " + now + " in boot " + made.resetCount() + ", and later only " + before)
                    : Optional.empty();
        }
        if (now < seen.epoch()) {
            return Optional.of(name + " has " + (now == 0 ? "no floor" : "floor " + now) + ", " + before);
        }
        return ModelSteps.inService(model) && model.event().epoch() < seen.epoch()
                ? Optional.of(name + " serves at epoch " + model.event().epoch() + ", floor " + before)
                : Optional.empty();
    }
}
