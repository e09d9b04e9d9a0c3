package dev.holdfast.fleet.rollout;

import java.time.Instant;
import java.util.Optional;

/**
 * One device's part in a rollout, as it is kept.
 *
 * @param since when it came to its state, by the fleet's clock
 * @param deadline when silence becomes a failure; for one that waits to be tried again, when it is
 * @param orderedAt when the order was given last
 * @param attempts how often it was ordered
 * @param order the number of the order; 0 where none was needed or asked for yet
 * @param versionBefore what was desired of the device before; empty where the model was not
 * @param failureBefore when the device's last failure of the model was as it stood when the order was given, by the device's clock
 * @param refusalBefore which refusal of the device stood when the order was given, see {@link Fleet.Refusal#occasion}
 * @param provedAt when the evidence was asked for that proves it
 * @param wentBack whether the device was ordered back
 */
public record Execution(
        String rollout,
        String device,
        int ring,
        ExecutionState state,
        Instant since,
        Optional<Instant> deadline,
        Optional<Instant> orderedAt,
        int attempts,
        long order,
        Optional<String> versionBefore,
        Optional<String> failureBefore,
        Optional<String> refusalBefore,
        Optional<String> code,
        String detail,
        Optional<Instant> provedAt,
        boolean wentBack,
        long rowVersion) {
    /** Instead of an order's number: what was desired before is on record, and no order was given yet. */
    private static final long REMEMBERED = -1;

    private Execution next(
            ExecutionState to,
            Instant at,
            Optional<Instant> until,
            Optional<String> because,
            String said,
            Optional<Instant> proof,
            boolean back) {
        return new Execution(
                rollout,
                device,
                ring,
                to,
                at,
                until,
                orderedAt,
                attempts,
                order,
                versionBefore,
                failureBefore,
                refusalBefore,
                because,
                said,
                proof,
                back,
                rowVersion);
    }

    /** What is desired of the device before it is ordered anything. */
    Execution remembering(Optional<String> desired) {
        return new Execution(
                rollout,
                device,
                ring,
                state,
                since,
                deadline,
                orderedAt,
                attempts,
                REMEMBERED,
                desired,
                failureBefore,
                refusalBefore,
                code,
                detail,
                provedAt,
                wentBack,
                rowVersion);
    }

    /** An order was given; 0 where none was needed. @param word of the device, as it stands now */
    Execution ordered(long number, Optional<Fleet.Word> word, Instant now, Instant until) {
        return new Execution(
                rollout,
                device,
                ring,
                ExecutionState.NOTIFIED,
                now,
                Optional.of(until),
                Optional.of(now),
                attempts + 1,
                number,
                versionBefore,
                word.flatMap(Fleet.Word::failure).map(Fleet.Failure::at),
                word.flatMap(Fleet.Word::refused).map(Fleet.Refusal::occasion),
                Optional.empty(),
                "",
                Optional.empty(),
                wentBack,
                rowVersion);
    }

    Execution to(ExecutionState to, Instant now, Optional<Instant> until, Optional<String> because, String said) {
        return next(to, now, until, because, said, provedAt, wentBack);
    }

    /** In the same state since the same time; something else is to be told of it. */
    Execution telling(Optional<String> because, String said) {
        return next(state, since, deadline, because, said, provedAt, wentBack);
    }

    Execution proved(Instant asked, Instant now) {
        return next(ExecutionState.ATTESTED, now, Optional.empty(), Optional.empty(), "", Optional.of(asked), wentBack);
    }

    /** @param said why it could not be; empty where it was */
    Execution orderedBack(String said) {
        return next(state, since, deadline, code, said.isEmpty() ? detail : said, provedAt, true);
    }
}
