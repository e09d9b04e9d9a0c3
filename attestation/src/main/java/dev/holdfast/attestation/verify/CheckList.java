package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.verify.Appraisal.Check;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.wire.Code;
import java.util.ArrayList;
import java.util.List;

/** What the steps of one appraisal found, in their order. One thread. */
final class CheckList {
    private final List<Check> checks = new ArrayList<>();
    private boolean refused;
    private boolean weakened;

    /** A check whose failure refuses the evidence. */
    void require(String name, boolean holds, Code code, String detail) {
        checks.add(holds ? Check.passed(name, detail) : Check.failed(name, code, detail));
        refused |= !holds;
    }

    /** A finding that does not refuse the evidence, and leaves it no more than a warning. */
    void weaken(String name, Code code, String detail) {
        checks.add(Check.failed(name, code, detail));
        weakened = true;
    }

    void pass(String name, String detail) {
        checks.add(Check.passed(name, detail));
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
