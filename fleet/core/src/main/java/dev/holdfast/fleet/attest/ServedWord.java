package dev.holdfast.fleet.attest;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.TreeSet;

/** What a device's report gives as a reason to ask: another digest of what it serves, or that it goes down. */
final class ServedWord {
    private static final int DIGEST_CHARS = 32;
    private static final int MAX_SLOT_CHARS = 64;

    /** How far its clock may be from ours. */
    private static final Duration LEAVING = Duration.ofMinutes(2);

    private ServedWord() {}

    /** Empty while a release is on its way or on probation: what is asked for is what was committed. */
    static Optional<String> of(JsonNode report) {
        TreeSet<String> said = new TreeSet<>();
        JsonNode models = report.path("models");
        for (int i = 0; i < Math.min(models.size(), 2 * ModelName.MAX_MODELS); i++) {
            JsonNode model = models.path(i);
            if (model.path("state").asText().equals("installing")) {
                return Optional.empty();
            }
            add(said, model.path("slot"));
            JsonNode graced = model.path("grace");
            for (int j = 0; j < Math.min(graced.size(), ModelName.MAX_GRACED); j++) {
                add(said, graced.path(j).path("slot"));
            }
        }
        return Optional.of(Sha256.of(String.join(" ", said).getBytes(StandardCharsets.UTF_8))
                .hex()
                .substring(0, DIGEST_CHARS));
    }

    /** Whether it says that it goes down, about now: the broker may keep such a report for as long as the device is off. */
    static boolean isLeaving(JsonNode report, Instant now) {
        try {
            return report.has("leaving")
                    && Duration.between(Instant.parse(report.path("leaving").asText()), now)
                                    .abs()
                                    .compareTo(LEAVING)
                            < 0;
        } catch (DateTimeException e) {
            return false;
        }
    }

    private static void add(TreeSet<String> said, JsonNode slot) {
        if (slot.isTextual() && slot.textValue().length() <= MAX_SLOT_CHARS) {
            said.add(slot.textValue());
        }
    }
}
