package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.util.Optional;

/**
 * What a device shall run.
 *
 * @param counter the order's number; grows with each wish for this device
 * @param rollout when and at what cost; at once where empty
 */
public record DesiredModel(String model, String version, long counter, Optional<Rollout> rollout) {
    private static final int MAX_BYTES = 4096;

    public static Optional<DesiredModel> read(FleetDirectory directory, String device)
            throws IOException, RejectedException {
        Optional<JsonNode> found = FleetDirectory.readJson(directory.desired(device), MAX_BYTES);
        return found.isPresent() ? Optional.of(read(found.get())) : Optional.empty();
    }

    /** {@code CFG-INVALID} where a field does not hold. */
    private static DesiredModel read(JsonNode json) throws RejectedException {
        Fields wish = Fields.of(json, Code.CFG_INVALID);
        Optional<Rollout> rollout =
                wish.has(Rollout.FIELD) ? Optional.of(Rollout.of(wish.object(Rollout.FIELD))) : Optional.empty();
        return new DesiredModel(
                wish.text("model", ModelName.MAX_CHARS),
                wish.text("version", ModelName.MAX_CHARS),
                wish.integer("counter", 1),
                rollout);
    }

    /** The object of {@code desired/<device>.json}. */
    private ObjectNode toJson() {
        ObjectNode wish =
                Json.object().put("model", model).put("version", version).put("counter", counter);
        rollout.ifPresent(terms -> wish.set(Rollout.FIELD, terms.toJson()));
        return wish;
    }

    /** Stores the wish under the next number; {@code UPD-TARGET-UNKNOWN} where the model is not published. */
    public static DesiredModel write(
            FleetRepository repository, String device, String model, String version, Optional<Rollout> rollout)
            throws IOException, RejectedException {
        FleetDirectory directory = repository.directory();
        // Two orders of one number would be two orders that a device cannot tell apart.
        return directory.exclusively(() -> {
            repository.release(model, version);
            long last = read(directory, device).map(DesiredModel::counter).orElse(0L);
            DesiredModel next = new DesiredModel(model, version, last + 1, rollout);
            FleetDirectory.replace(directory.desired(device), Json.write(next.toJson()));
            return next;
        });
    }
}
