package dev.holdfast.agent;

import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Consumer;

/** Starts the trust client, which needs the TEE and the disk, and tells those who need to know what it knows. One thread. */
final class TrustStart {
    private final UpdateParts parts;
    private final Consumer<Rejection> note;

    /** @param note told why it could not be started */
    TrustStart(UpdateParts parts, Consumer<Rejection> note) {
        this.parts = parts;
        this.note = note;
    }

    /** At the start of the agent, which goes on without it. */
    Optional<TrustClient> first() {
        Optional<TrustClient> started = Optional.empty();
        try {
            started = again();
        } catch (IOException | TeeException e) {
            note.accept(Faults.reasonOf(e));
        }
        if (started.isEmpty()) {
            parts.floors().unavailable();
        }
        return started;
    }

    /** Empty where what the device holds is refused. */
    Optional<TrustClient> again() throws IOException, TeeException {
        return switch (parts.trust().start()) {
            case Verdict.Rejected<TrustClient> rejected -> {
                note.accept(rejected.reason());
                yield Optional.empty();
            }
            case Verdict.Accepted<TrustClient>(TrustClient client) -> {
                parts.measurements().authority(client.anchorKeyId());
                parts.floors().use(client);
                // Before the fleet is reached, too: a device without a battery begins in 1970, and no grace would end.
                parts.clock().raise(client.now());
                yield Optional.of(client);
            }
        };
    }
}
