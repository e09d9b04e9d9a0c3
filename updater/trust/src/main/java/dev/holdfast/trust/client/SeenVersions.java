package dev.holdfast.trust.client;

import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.util.Set;

/** Versions of metadata that were seen, kept where the disk's owner cannot set them back; 0 where nothing was. */
interface SeenVersions {
    long timestamp();

    long snapshot();

    long targets();

    /** Remembers what is higher than before. Durable when it returns. */
    void raise(long timestamp, long snapshot, long targets) throws IOException, RejectedException;

    /** Version of the list of withdrawals. */
    long revocations();

    /** Paths that were withdrawn, in any version of the list. */
    Set<String> withdrawn();

    /** Remembers a newer list. Durable when it returns. */
    void withdraw(Revocations list) throws IOException, RejectedException;

    /** Nothing beside the stored files themselves. */
    SeenVersions NONE = new SeenVersions() {
        @Override
        public long timestamp() {
            return 0;
        }

        @Override
        public long snapshot() {
            return 0;
        }

        @Override
        public long targets() {
            return 0;
        }

        @Override
        public void raise(long timestamp, long snapshot, long targets) {}

        @Override
        public long revocations() {
            return 0;
        }

        @Override
        public Set<String> withdrawn() {
            return Set.of();
        }

        @Override
        public void withdraw(Revocations list) {}
    };
}
