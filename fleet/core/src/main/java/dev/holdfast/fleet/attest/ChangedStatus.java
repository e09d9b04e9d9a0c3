package dev.holdfast.fleet.attest;

import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.fleet.LastVerdict;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Subject;
import java.util.Locale;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The log lines of verdicts: what changed is told, and what stays as it was is not. */
final class ChangedStatus {
    private static final Logger LOG = LoggerFactory.getLogger(ChangedStatus.class);

    private ChangedStatus() {}

    static void tell(QuietLog quiet, String device, Optional<LastVerdict> before, Appraisal appraisal) {
        String status = appraisal.status().name().toLowerCase(Locale.ROOT);
        if (before.map(LastVerdict::status).equals(Optional.of(status))) {
            return;
        }
        Optional<Appraisal.Check> failure = appraisal.firstFailure();
        if (failure.isPresent()) {
            quiet.warn(
                    "evidence of {} is {}: {}",
                    Subject.device(device),
                    status,
                    new Rejection(
                            failure.get().code().orElse(Code.ATT_FORMAT),
                            failure.get().detail()));
        } else {
            LOG.info("evidence of {} is {}", Subject.device(device), status);
        }
    }
}
