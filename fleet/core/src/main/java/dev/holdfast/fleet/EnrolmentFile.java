package dev.holdfast.fleet;

import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code enrolment.json} as it is now: read again when it changed, and now and then for the certificates and revocation lists that it
 * names. A file that does not hold ends a start; later the one before counts on. Thread-safe.
 */
final class EnrolmentFile implements Supplier<EnrolmentPolicy> {
    private static final Logger LOG = LoggerFactory.getLogger(EnrolmentFile.class);
    /** Revocation lists change by the week. */
    private static final Duration AGAIN = Duration.ofMinutes(10);

    private final Path file;
    private final LongSupplier nanoTime;
    private EnrolmentPolicy policy;
    private String stamp;
    private long readNanos;

    private EnrolmentFile(Path file, LongSupplier nanoTime, EnrolmentPolicy policy, String stamp) {
        this.file = file;
        this.nanoTime = nanoTime;
        this.policy = policy;
        this.stamp = stamp;
        this.readNanos = nanoTime.getAsLong();
    }

    /** {@code CFG-INVALID} where the file does not hold. */
    static EnrolmentFile open(FleetDirectory directory) throws IOException, RejectedException {
        Path file = directory.root().resolve("enrolment.json");
        return new EnrolmentFile(file, System::nanoTime, read(file).orThrow(), AcceptedKeys.stamp(file));
    }

    private static Verdict<EnrolmentPolicy> read(Path file) {
        return Files.exists(file) ? EnrolmentPolicy.read(file) : Verdict.accepted(EnrolmentPolicy.DEFAULT);
    }

    @Override
    public synchronized EnrolmentPolicy get() {
        try {
            String now = AcceptedKeys.stamp(file);
            if (!now.equals(stamp) || nanoTime.getAsLong() - readNanos > AGAIN.toNanos()) {
                stamp = now;
                readNanos = nanoTime.getAsLong();
                switch (read(file)) {
                    case Verdict.Accepted<EnrolmentPolicy>(EnrolmentPolicy fresh) -> policy = fresh;
                    case Verdict.Rejected<EnrolmentPolicy>(Rejection reason) ->
                        LOG.warn("{}; what it said before counts on", reason);
                }
            }
        } catch (IOException e) {
            LOG.warn("{} cannot be read: {}; what it said before counts on", file, e.getMessage());
        }
        return policy;
    }
}
