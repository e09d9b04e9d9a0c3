package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.BootLog;
import dev.holdfast.attestation.Event;
import dev.holdfast.attestation.ImaLog;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;

/** Holds the machine's own logs against quoted registers. Each answer is what is wrong; empty where nothing is. */
final class PlatformReplay {
    private static final int LAST_FIRMWARE_PCR = 7;

    private PlatformReplay() {}

    /** All of PCR 0 to 7 must be quoted and hold what the log leads to; a register without events holds zero. */
    static Optional<String> boot(Binary log, Map<Integer, Binary> quoted) {
        return switch (BootLog.replay(log)) {
            case Verdict.Rejected<?>(Rejection reason) -> Optional.of(reason.toString());
            case Verdict.Accepted<SortedMap<Integer, Sha256>>(var replayed) -> {
                for (int pcr = 0; pcr <= LAST_FIRMWARE_PCR; pcr++) {
                    Binary expected = replayed.getOrDefault(pcr, Event.ZERO).value();
                    if (!expected.equals(quoted.getOrDefault(pcr, Binary.empty()))) {
                        yield Optional.of("the boot log does not lead to the quoted PCR " + pcr);
                    }
                }
                yield Optional.empty();
            }
        };
    }

    /** The list was read after the quote: a prefix of it must lead to PCR 10. */
    static Optional<String> ima(Binary log, Map<Integer, Binary> quoted) {
        Binary register = quoted.get(ImaLog.PCR);
        if (register == null) {
            return Optional.of("PCR " + ImaLog.PCR + " is not quoted");
        }
        return ImaLog.prefix(log, register) instanceof Verdict.Rejected<Integer>(Rejection reason)
                ? Optional.of(reason.toString())
                : Optional.empty();
    }
}
