package dev.holdfast.fleet.rollout;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/** What is made of a device by what it says and what its evidence proves. No state. */
record Watch(RolloutPlan plan, Sha256 wanted, Instant now) {
    /** The device as it is now; the same where nothing changed. */
    Execution look(Execution before, Optional<String> desired, Optional<Fleet.Word> said, Optional<Fleet.Proof> proof) {
        if (!desired.equals(Optional.of(plan.version()))) {
            return before.to(
                    ExecutionState.REMOVED,
                    now,
                    Optional.empty(),
                    Optional.empty(),
                    desired.map(version -> "somebody desires " + version + " of it now")
                            .orElse("the fleet desires nothing of it any more"));
        }
        Optional<Fleet.Word> word = said.filter(one ->
                before.order() == 0 || before.orderedAt().map(one.at()::isAfter).orElse(false));
        return switch (before.state()) {
            case NOTIFIED, IN_PROGRESS -> installing(before, word);
            case CONFIRMED -> confirmed(before, word, proof);
            default -> before;
        };
    }

    private Execution installing(Execution before, Optional<Fleet.Word> word) {
        if (word.isPresent()) {
            Fleet.Word said = word.get();
            boolean atIt = said.installing()
                    .map(one -> one.version().equals(plan.version()))
                    .orElse(false);
            boolean serves = said.serving().equals(Optional.of(plan.version()));
            Optional<Fleet.Failure> failure = said.failure()
                    .filter(one -> one.version().equals(plan.version())
                            && !Optional.of(one.at()).equals(before.failureBefore()));
            if (serves && said.settled()) {
                return before.to(
                        ExecutionState.CONFIRMED,
                        now,
                        plan.gate().attestedPercent() > 0
                                ? Optional.of(now.plus(plan.deadlines().confirmed()))
                                : Optional.empty(),
                        Optional.empty(),
                        "");
            }
            if (failure.isPresent() && !atIt && !serves) {
                return failed(
                        before,
                        failure.get().rolledBack() ? ExecutionState.ROLLED_BACK : ExecutionState.FAILED,
                        Optional.of(failure.get().code()).filter(code -> !code.isEmpty()),
                        "");
            }
            if (atIt || serves) {
                String how = said.installing().map(Fleet.Installing::state).orElse("PROBATION");
                return before.state() == ExecutionState.IN_PROGRESS
                                && before.detail().equals(how)
                        ? late(before)
                        : before.state() == ExecutionState.IN_PROGRESS
                                ? before.telling(Optional.empty(), how)
                                : before.to(
                                        ExecutionState.IN_PROGRESS,
                                        now,
                                        Optional.of(now.plus(plan.deadlines().inProgress())),
                                        Optional.empty(),
                                        how);
            }
            // What stood before the order says nothing of it.
            Optional<Fleet.Refusal> refused =
                    said.refused().filter(one -> !Optional.of(one.occasion()).equals(before.refusalBefore()));
            if (refused.isPresent()) {
                return refused(before, refused.get());
            }
        }
        return late(before);
    }

    /** What the signed order or release says is final; what the line or the disk says may pass. */
    private Execution refused(Execution before, Fleet.Refusal refusal) {
        // It looked before it was ordered anything.
        boolean early = refusal.code().equals(Code.UPD_NO_ORDER.id());
        if (refusal.code().startsWith("UPD-") && !early) {
            return failed(before, ExecutionState.REJECTED, Optional.of(refusal.code()), refusal.detail());
        }
        Execution told = before.telling(Optional.of(refusal.code()), refusal.detail());
        return told.equals(before) ? late(before) : told;
    }

    private Execution confirmed(Execution before, Optional<Fleet.Word> word, Optional<Fleet.Proof> proof) {
        Optional<String> other = word.flatMap(Fleet.Word::serving).filter(version -> !version.equals(plan.version()));
        if (other.isPresent() || word.isPresent() && word.get().serving().isEmpty()) {
            return failed(
                    before,
                    ExecutionState.ROLLED_BACK,
                    Optional.empty(),
                    "serves " + other.orElse("nothing") + " again");
        }
        // Evidence from before the device said so shows nothing of what it serves since.
        if (proof.isPresent() && proof.get().asked().isAfter(before.since())) {
            Fleet.Proof seen = proof.get();
            if (seen.affirming() && seen.digest().equals(Optional.of(wanted))) {
                return before.proved(seen.asked(), now);
            }
            Execution told = seen.affirming()
                    ? before.telling(
                            Optional.of(Code.FLT_PROOF.id()),
                            "says that it serves " + plan.version() + "; its evidence, asked for at " + seen.asked()
                                    + ", proves " + (seen.digest().isEmpty() ? "no such model" : seen.version()))
                    : before.telling(seen.code(), "its evidence, asked for at " + seen.asked() + ", does not affirm");
            return told.equals(before) ? late(before) : told;
        }
        return late(before);
    }

    private Execution late(Execution before) {
        if (before.deadline().isEmpty() || now.isBefore(before.deadline().get())) {
            return before;
        }
        Duration waited = Duration.between(before.since(), now);
        String said = switch (before.state()) {
            case NOTIFIED -> "no word of it for " + waited.toSeconds() + " s since the order";
            case IN_PROGRESS -> "at " + before.detail() + " for " + waited.toSeconds() + " s";
            default ->
                before.detail().isEmpty()
                        ? "says that it serves it; no evidence for " + waited.toSeconds() + " s"
                        : before.detail();
        };
        return failed(before, ExecutionState.TIMED_OUT, before.code(), said);
    }

    /** Tried again where the plan says so; a device counts once, however often it is tried. */
    private Execution failed(Execution before, ExecutionState state, Optional<String> code, String said) {
        RolloutPlan.Retry retry = plan.retry();
        if (before.attempts() <= retry.times() && retry.covers(code)) {
            Duration pause = retry.pause().multipliedBy(1L << Math.max(0, before.attempts() - 1));
            return before.to(
                    ExecutionState.QUEUED,
                    now,
                    Optional.of(now.plus(pause)),
                    code,
                    state + ", tried again at " + now.plus(pause) + (said.isEmpty() ? "" : ": " + said));
        }
        return before.to(state, now, Optional.empty(), code, said);
    }
}
