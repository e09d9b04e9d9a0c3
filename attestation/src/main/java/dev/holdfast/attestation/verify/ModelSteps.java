package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** The checks of the models that the log names: each by itself, and then the set of them. Used once, by one thread. */
final class ModelSteps {
    private final ReferenceModels references;
    private final AppraisalPolicy policy;
    private final CheckList checks;

    ModelSteps(ReferenceModels references, AppraisalPolicy policy, CheckList checks) {
        this.references = references;
        this.policy = policy;
        this.checks = checks;
    }

    /** Whether a model may be answering requests. One whose state nobody knows may. */
    static boolean inService(Measured model) {
        return model.state() != Serving.ABSENT;
    }

    void judge(List<Measured> models) {
        for (Measured model : models) {
            reference(model.event());
            allowed(model);
            grace(model);
            epoch(model.event());
        }
        missing(models);
        serving(models);
    }

    private void reference(ModelEvent event) {
        Optional<ReferenceModels.Reference> found = references.find(event.target(), event.digest());
        Optional<String> difference = found.isEmpty()
                ? Optional.of("no model was published as these bytes under this target")
                : found.get().difference(event);
        String name = event.model() + " " + event.version() + ", sha256 " + event.digest();
        checks.require(
                "reference",
                difference.isEmpty(),
                Code.ATT_REFERENCE,
                () -> name,
                () -> name + ": " + difference.orElseThrow());
        if (found.isPresent() && found.get().withdrawn()) {
            checks.refuse("withdrawn", Code.ATT_WITHDRAWN, name + ": its publisher withdrew it");
        }
    }

    /** One that is not listed must not serve; where it answers no requests, that is the process's own word, and is told. */
    private void allowed(Measured model) {
        String name = model.event().model();
        if (policy.models().isEmpty()) {
            return;
        }
        boolean listed = policy.models().containsKey(name);
        if (listed || inService(model)) {
            checks.require(
                    "allowed-model",
                    listed,
                    Code.ATT_REFERENCE,
                    () -> name + " is one of " + policy.models().keySet(),
                    () -> "expected none but " + policy.models().keySet() + ", got " + name);
        } else {
            checks.weaken(
                    "unlisted-model",
                    Code.ATT_REFERENCE,
                    name + " does not answer, and the log still names it; the policy allows "
                            + policy.models().keySet());
        }
    }

    /** An older release answers to its pinned name: a policy may want the one in service alone. */
    private void grace(Measured model) {
        if (model.isInGrace()) {
            String name = model.event().model();
            String release = ModelName.id(name, model.event().version());
            if (inService(model) && !policy.allowsGrace(name)) {
                checks.refuse(
                        "grace",
                        Code.ATT_REFERENCE,
                        release + " is in its grace, the policy allows no older release of " + name);
            } else {
                checks.pass("grace", release + " answers to its pinned name while its grace lasts");
            }
        }
    }

    private void epoch(ModelEvent event) {
        long least = policy.minEpoch(event.model());
        if (least > 0) {
            checks.require(
                    "epoch",
                    event.epoch() >= least,
                    Code.ATT_REFERENCE,
                    () -> event.model() + " has security epoch " + event.epoch() + ", at least " + least
                            + " is asked for",
                    () -> "expected security epoch " + least + " or later of " + event.model() + ", got epoch "
                            + event.epoch());
        }
    }

    private void missing(List<Measured> models) {
        Map<String, Measured> byName = models.stream()
                .filter(model -> !model.isInGrace())
                .collect(Collectors.toMap(model -> model.event().model(), model -> model));
        policy.models().forEach((name, demand) -> {
            Measured model = byName.get(name);
            if (model != null && inService(model)) {
                return;
            }
            String detail = name + (model == null ? " is not in the log" : " does not answer requests");
            if (demand.optional()) {
                checks.pass("missing-model", detail + "; the policy does not need it");
            } else {
                checks.weaken("missing-model", Code.ATT_SERVING, detail + ", the policy lists it");
            }
        });
    }

    private void serving(List<Measured> models) {
        if (models.stream().anyMatch(model -> model.state() == Serving.UNKNOWN)) {
            checks.weaken(
                    "serving",
                    Code.ATT_SERVING,
                    "the process that answers requests did not answer, or contradicted itself");
        } else {
            checks.pass(
                    "serving",
                    models.isEmpty()
                            ? "no model"
                            : models.stream()
                                    .map(model -> (model.isInGrace()
                                                    ? ModelName.id(
                                                            model.event().model(),
                                                            model.event().version())
                                                    : model.event().model())
                                            + " " + model.state().name().toLowerCase(Locale.ROOT))
                                    .collect(Collectors.joining(", ")));
        }
    }
}
