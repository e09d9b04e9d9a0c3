package dev.holdfast.attestation;

import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.tee.TeeException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The device's replayable record of what was extended into the register since the TEE was reset. */
public final class EventLog implements AutoCloseable {
    private EventLog() {}

    /** Opens or begins the log in {@code dir}, and recovers from a crash. */
    public static EventLog open(Path dir, MeasurementRegister register) throws IOException, TeeException {
        throw new IOException("not yet: " + dir + register);
    }

    /** Records that the agent started. */
    public void agentStarted(String name, String version) throws IOException, TeeException {}

    /** To be called when the model is ready and before the serving pointer flips: write-ahead, extend, append. */
    public void beforeServe(ModelEvent event) throws IOException, TeeException {}

    /** To be called once the serving pointer has flipped for good: clears the write-ahead record. */
    public void afterServe() throws IOException {}

    /** At start: measures {@code actual}, what really serves, unless the log says so already. */
    public void ensureServing(ModelEvent actual) throws IOException, TeeException {}

    /** The last model event of this boot. */
    public Optional<ModelEvent> serving() {
        return Optional.empty();
    }

    /** The swap that a crash interrupted between {@link #beforeServe} and {@link #afterServe}. */
    public Optional<ModelEvent> interrupted() {
        return Optional.empty();
    }

    /** Why the log does not lead to the register, if it does not. It is told in the evidence, never hidden. */
    public Optional<String> broken() {
        return Optional.empty();
    }

    /** All events of this boot. */
    public List<Event> events() {
        return List.of();
    }

    @Override
    public void close() throws IOException {}
}
