package dev.holdfast.attestation;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The result of an appraisal, in the shape of an EAR (draft-ietf-rats-ear): a status, and the checks that led to it.
 *
 * @param checks every check that could be made, in order; the first one that failed says why
 * @param claims what the evidence said, present when its signatures, nonce, quote and log hold
 */
public record Appraisal(Status status, List<Check> checks, Optional<Claims> claims) {
    /** Strongest first. */
    public enum Status {
        /** Everything that the policy asks for holds. */
        AFFIRMING,
        /** The evidence holds, but something that the policy wants is missing. */
        WARNING,
        /** The evidence is refused. */
        CONTRAINDICATED,
        /** The evidence holds, but no model is in service. */
        NONE
    }

    /** One question that was asked of the evidence. {@code code} is present when it failed. */
    public record Check(String name, boolean passed, Optional<Code> code, String detail) {
        static Check passed(String name, String detail) {
            return new Check(name, true, Optional.empty(), detail);
        }

        static Check failed(String name, Code code, String detail) {
            return new Check(name, false, Optional.of(code), new Rejection(code, detail).detail());
        }
    }

    /** What the evidence proves. {@code model} is absent where none is in service. */
    public record Claims(
            String deviceId,
            Optional<Model> model,
            Assurance assurance,
            long bootCount,
            long clockMillis,
            String agentName,
            String agentVersion,
            int events) {}

    /** The model in service. */
    public record Model(String name, String version, Sha256 digest, long epoch) {}

    public Appraisal {
        checks = List.copyOf(checks);
    }

    public boolean isAffirming() {
        return status == Status.AFFIRMING;
    }

    /** Why the appraisal is not affirming. */
    public Optional<Check> firstFailure() {
        return checks.stream().filter(check -> !check.passed()).findFirst();
    }

    /** The device's record to keep: advanced when the evidence holds, unchanged when it does not. */
    public EnrolledDevice remember(EnrolledDevice device) {
        return status == Status.CONTRAINDICATED
                ? device
                : claims.map(c -> device.seen(c.bootCount(), c.clockMillis())).orElse(device);
    }

    /** The same for machines: {@code ear.status}, the checks, the claims. */
    public ObjectNode toJson() {
        ObjectNode out = Json.object().put("status", status.name().toLowerCase(Locale.ROOT));
        ArrayNode list = out.putArray("checks");
        for (Check check : checks) {
            ObjectNode node = list.addObject().put("name", check.name()).put("passed", check.passed());
            check.code().ifPresent(code -> node.put("code", code.id()));
            node.put("detail", check.detail());
        }
        claims.ifPresent(c -> {
            ObjectNode node = out.putObject("claims")
                    .put("device", c.deviceId())
                    .put("assurance", c.assurance().name().toLowerCase(Locale.ROOT))
                    .put("bootCount", c.bootCount())
                    .put("agent", c.agentName() + " " + c.agentVersion())
                    .put("events", c.events());
            c.model()
                    .ifPresent(model -> node.putObject("model")
                            .put("name", model.name())
                            .put("version", model.version())
                            .put("digest", model.digest().hex())
                            .put("epoch", model.epoch()));
        });
        return out;
    }
}
