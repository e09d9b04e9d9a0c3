package dev.holdfast.agent;

import dev.holdfast.agent.health.Pulse;
import dev.holdfast.agent.pace.FloorClock;
import dev.holdfast.agent.pace.RefreshSchedule;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.updater.Installer;
import dev.holdfast.updater.ModelStore;
import dev.holdfast.wire.Verdict;
import java.io.IOException;

/**
 * What the update loop works with.
 *
 * @param floors told of the trust client, whose record holds them
 * @param enrolment done before the first look
 * @param works carry out what is ordered of each model
 * @param pulse beats while the loop moves
 * @param report told whenever the state changed
 */
record UpdateParts(
        TrustStart trust,
        TrustFloors floors,
        FleetClient fleet,
        ModelStore store,
        Installer installer,
        ModelWorks works,
        Enrolment enrolment,
        ModelMeasurements measurements,
        FloorClock clock,
        RefreshSchedule pace,
        Pulse pulse,
        Runnable report) {
    /** Starts a trust client; a rejection where the TEE or what is on the disk does not hold. */
    @FunctionalInterface
    interface TrustStart {
        Verdict<TrustClient> start() throws IOException, TeeException;
    }
}
