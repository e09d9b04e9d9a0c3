package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
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
        if (found.isEmpty()) {
            return Optional.empty();
        }
        JsonNode node = found.get();
        long counter = node.path("counter").asLong();
        if (counter < 1) {
            throw new RejectedException(Code.CFG_INVALID, "the desired model of " + device + " has no counter");
        }
        Optional<Rollout> rollout = node.has(Rollout.FIELD)
                ? Optional.of(Rollout.fromJson(node.get(Rollout.FIELD)).orThrow())
                : Optional.empty();
        return Optional.of(new DesiredModel(
                node.path("model").asText(), node.path("version").asText(), counter, rollout));
    }

    /** Stores the wish under the next number; {@code UPD-TARGET-UNKNOWN} where the model is not published. */
    public static DesiredModel write(
            FleetRepository repository, String device, String model, String version, Optional<Rollout> rollout)
            throws IOException, RejectedException {
        repository.release(model, version);
        FleetDirectory directory = repository.directory();
        long last = read(directory, device).map(DesiredModel::counter).orElse(0L);
        DesiredModel next = new DesiredModel(model, version, last + 1, rollout);
        ObjectNode wish =
                Json.object().put("model", model).put("version", version).put("counter", next.counter);
        rollout.ifPresent(terms -> wish.set(Rollout.FIELD, terms.toJson()));
        FleetDirectory.replace(directory.desired(device), Json.write(wish));
        return next;
    }
}
