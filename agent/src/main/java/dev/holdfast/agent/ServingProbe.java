package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.attestation.ServingModel;
import dev.holdfast.updater.ModelStore;
import dev.holdfast.updater.Serving;
import dev.holdfast.updater.Slot;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Asks the inference process which bytes it serves. The digest is the one that it hashed when it mapped the file, not the
 * one in the store's pointer; where the two differ, what serves is measured under no name, and no reference value fits.
 */
final class ServingProbe implements ServingModel {
    /** Status is answered from memory; who does not answer in this time hangs. */
    private static final Duration DEADLINE = Duration.ofSeconds(2);

    private static final String NAMELESS = "unknown";

    private final UnixHttp http;
    private final Path inferenceControl;
    private final ModelStore store;
    private final ServiceLog log;

    ServingProbe(UnixHttp http, Path inferenceControl, ModelStore store, ServiceLog log) {
        this.http = http;
        this.inferenceControl = inferenceControl;
        this.store = store;
        this.log = log;
    }

    @Override
    public Optional<ModelEvent> now() throws IOException {
        UnixHttp.Reply reply = http.get(inferenceControl, "/control/v1/status", DEADLINE);
        JsonNode serving = reply.body().path("serving");
        if (reply.status() != 200) {
            throw new IOException("status " + reply.status() + " of the inference process");
        }
        if (!(Sha256.fromHex(serving.path("digest").asText("")) instanceof Verdict.Accepted<Sha256>(Sha256 digest))) {
            return Optional.empty();
        }
        return Optional.of(event(store.serving(), digest));
    }

    private ModelEvent event(Optional<Serving> pointer, Sha256 digest) {
        Stream<Slot> slots =
                pointer.stream().flatMap(one -> Stream.concat(Stream.of(one.serving()), one.fallback().stream()));
        return slots.filter(slot -> slot.digest().equals(digest))
                .findFirst()
                .map(slot -> log.event(slot, ModelEvent.Kind.SERVE))
                .orElseGet(() -> nameless(digest));
    }

    static ModelEvent nameless(Sha256 digest) {
        return new ModelEvent(
                ModelEvent.Kind.SERVE,
                NAMELESS,
                NAMELESS,
                digest,
                Binary.empty(),
                "",
                0,
                new Sha256(Binary.copyOf(new byte[Sha256.BYTES])),
                Optional.empty());
    }
}
