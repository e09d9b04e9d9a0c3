package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.attestation.ServingModel;
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
    private static final Duration DEADLINE = Duration.ofSeconds(5);

    private static final String NAMELESS = "unknown";

    /** The store's pointer: which slots there are to name what serves. */
    @FunctionalInterface
    interface Pointer {
        Optional<Serving> serving() throws IOException;
    }

    private final UnixHttp http;
    private final Path inferenceControl;
    private final Pointer pointer;
    private final ServiceLog log;

    ServingProbe(UnixHttp http, Path inferenceControl, Pointer pointer, ServiceLog log) {
        this.http = http;
        this.inferenceControl = inferenceControl;
        this.pointer = pointer;
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
        return Optional.of(event(pointer.serving(), digest, digest(serving.path("tokenizer"))));
    }

    private static Optional<Sha256> digest(JsonNode hex) {
        return Sha256.fromHex(hex.asText("")) instanceof Verdict.Accepted<Sha256>(Sha256 digest)
                ? Optional.of(digest)
                : Optional.empty();
    }

    /** The tokenizer's digest of a model that serves or is about to. */
    static Optional<Sha256> tokenizer(UnixHttp http, Path inferenceControl, Sha256 model) {
        try {
            JsonNode status =
                    http.get(inferenceControl, "/control/v1/status", DEADLINE).body();
            return Stream.of(status.path("serving"), status.path("candidate"))
                    .filter(one -> one.path("digest").asText("").equals(model.hex()))
                    .findFirst()
                    .flatMap(one -> digest(one.path("tokenizer")));
        } catch (IOException e) {
            // The event then goes without; it is measured again, with it, before the next evidence.
            return Optional.empty();
        }
    }

    private ModelEvent event(Optional<Serving> pointer, Sha256 digest, Optional<Sha256> tokenizer) {
        Stream<Slot> slots =
                pointer.stream().flatMap(one -> Stream.concat(Stream.of(one.serving()), one.fallback().stream()));
        return slots.filter(slot -> slot.digest().equals(digest))
                .findFirst()
                .map(slot -> log.event(slot, ModelEvent.Kind.SERVE, tokenizer))
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
