package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.LastVerdict;
import dev.holdfast.terminal.Units;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/** What a listing says of the last look at a device, and whether the next one is overdue. */
final class VerdictAge {
    private VerdictAge() {}

    /** @param every how often a look is expected */
    static void into(ObjectNode entry, Optional<LastVerdict> last, Duration every, Instant now) {
        entry.put("attestEverySeconds", every.toSeconds());
        last.ifPresent(verdict -> {
            Instant expected = verdict.expectedBy(every);
            entry.putObject("lastVerdict").setAll(verdict.toJson());
            entry.put("expectedBy", expected.toString());
        });
        boolean alarm =
                last.map(verdict -> verdict.expectedBy(every).isBefore(now)).orElse(true);
        if (alarm) {
            entry.put("overdue", true);
        }
    }

    /** Whether somebody has to look: nobody did for too long, or the last look did not affirm. */
    static boolean isAlarm(JsonNode entry) {
        return entry.path("overdue").asBoolean()
                || !entry.at("/lastVerdict/status").asText().equals("affirming");
    }

    /** For people: of a device that was looked at once, since one that never was has no evidence to grow old. */
    static Optional<String> note(JsonNode entry, Instant now) {
        JsonNode verdict = entry.path("lastVerdict");
        if (verdict.isMissingNode() || !isAlarm(entry)) {
            return Optional.empty();
        }
        String code = verdict.path("code").asText("");
        return Optional.of(
                "evidence " + verdict.path("status").asText() + (code.isEmpty() ? "" : " (" + code + ")") + " "
                        + Units.time(verdict.path("at").asText(), now)
                        + (entry.path("overdue").asBoolean()
                                ? ", the next was expected "
                                        + Units.time(entry.path("expectedBy").asText(), now) + ": fleet attest "
                                        + entry.path("device").asText()
                                : ""));
    }
}
