package dev.holdfast.fleet;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;

/**
 * Devices whose orders are held, {@code held/<device>}: what is desired of them came out of a backup and may be older than what they
 * run, so nothing is ordered of them until somebody says what holds.
 */
record HeldOrders(FleetDirectory directory) {
    boolean holds(String device) {
        return Files.exists(directory.held(device));
    }

    /** {@code FLT-HELD}. */
    void requireFree(String device) throws RejectedException {
        if (holds(device)) {
            throw new RejectedException(
                    Code.FLT_HELD,
                    "orders of " + device + " are held since the fleet was restored; see: fleet resume " + device);
        }
    }

    void hold(String device) throws IOException {
        Files.createDirectories(directory.held());
        FleetDirectory.replace(directory.held(device), new byte[0]);
    }

    void release(String device) throws IOException {
        FleetDirectory.delete(directory.held(device));
    }
}
