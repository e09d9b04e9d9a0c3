package dev.holdfast.updater;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** Skeleton. */
public final class Installer {
    private Installer() {}

    public static Installer open(ModelStore store, InstallerConfig config, InstallerPorts ports) throws IOException {
        return new Installer();
    }

    /** What {@link #recover} found. {@code unfinished} is continued by {@link #resume} or by the same order. */
    public record Recovery(
            Optional<Serving> serving, Optional<InstallRecord> unfinished, Optional<Rejection> journalDamage) {}

    /** Makes pointer, journal and inference process agree. Call once at start, when the inference process answers. */
    public Recovery recover() throws IOException {
        return new Recovery(Optional.empty(), Optional.empty(), Optional.empty());
    }

    /** Finishes an install that was measured or on probation when the process ended; needs no network. */
    public Optional<InstallOutcome> resume() throws IOException {
        return Optional.empty();
    }

    /** Carries an order out, or continues it. Blocks; one install at a time. */
    public InstallOutcome install(Order order) throws IOException {
        return new InstallOutcome.Failed(new Rejection(Code.INS_CANCELLED, "skeleton"));
    }

    /** Goes back to the fallback model because the operator says so. */
    public InstallOutcome rollback() throws IOException {
        return new InstallOutcome.Failed(new Rejection(Code.INS_NO_FALLBACK, "skeleton"));
    }

    /** Stops the running install at the next safe point; it ends as {@code INS-CANCELLED}. Any thread. */
    public void cancel() {}

    /** All records, oldest first. */
    public List<InstallRecord> history() throws IOException {
        return List.of();
    }

    /** Where the running or last install of this process stands. Any thread. */
    public Optional<InstallProgress> progress() {
        return Optional.empty();
    }
}
