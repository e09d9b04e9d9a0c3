package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code serving.json} of the store: which model serves, and which one it was before.
 *
 * @param slots what may be served, the best first; one that cannot be read is left out and named in {@code damage}
 */
record ServingRecord(List<SlotDescription> slots, List<String> damage) {
    private static final int MAX_BYTES = 4 << 20;
    private static final int FORMAT = 1;

    static Verdict<ServingRecord> read(Path file) {
        byte[] bytes;
        try (InputStream in = Files.newInputStream(file)) {
            bytes = in.readNBytes(MAX_BYTES + 1);
        } catch (IOException e) {
            return Verdict.rejected(Code.GATE_LOAD, "cannot read " + file.getFileName() + ": " + e.getMessage());
        }
        return Json.readObject(bytes, MAX_BYTES).then(node -> Verdict.of(() -> of(node)));
    }

    private static ServingRecord of(JsonNode node) throws RejectedException {
        new Fields(node).whole("format", FORMAT, FORMAT, null);
        List<SlotDescription> slots = new ArrayList<>();
        List<String> damage = new ArrayList<>();
        for (String name : List.of("serving", "fallback")) {
            if (!node.hasNonNull(name)) {
                continue;
            }
            switch (SlotDescription.read(node.get(name))) {
                case Verdict.Accepted<SlotDescription>(SlotDescription slot) -> slots.add(slot);
                case Verdict.Rejected<SlotDescription> rejected -> damage.add(name + ": " + rejected.reason());
            }
        }
        return new ServingRecord(slots, damage);
    }
}
