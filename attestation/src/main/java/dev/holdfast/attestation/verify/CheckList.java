package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.verify.Appraisal.Check;
import dev.holdfast.attestation.verify.Appraisal.Outcome;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.wire.Code;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** What the steps of one appraisal found, in their order. One thread. */
final class CheckList {
    private final List<Check> checks = new ArrayList<>();
    private boolean refused;
    private boolean weakened;

    /**
     * A check whose failure refuses the evidence.
     *
     * @param found what holds, where it does
     * @param wrong what was expected and what was found instead, where it does not: read by whoever has to find out why
     */
    void require(String name, boolean holds, Code code, Supplier<String> found, Supplier<String> wrong) {
        if (holds) {
            pass(name, found.get());
        } else {
            refuse(name, code, wrong.get());
        }
    }

    /** A finding that refuses the evidence. */
    void refuse(String name, Code code, String wrong) {
        checks.add(Check.failed(name, Outcome.REFUSED, code, wrong));
        refused = true;
    }

    /** A finding that does not refuse the evidence, and leaves it no more than a warning. */
    void weaken(String name, Code code, String wrong) {
        checks.add(Check.failed(name, Outcome.WARNING, code, wrong));
        weakened = true;
    }

    void pass(String name, String found) {
        checks.add(Check.passed(name, found));
    }

    boolean refused() {
        return refused;
    }

    List<Check> checks() {
        return checks;
    }

    /** @param model whether a model in service was proven */
    Status status(boolean model) {
        if (refused) {
            return Status.CONTRAINDICATED;
        }
        if (!model) {
            return Status.NONE;
        }
        return weakened ? Status.WARNING : Status.AFFIRMING;
    }
}
