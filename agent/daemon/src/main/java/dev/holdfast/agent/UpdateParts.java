package dev.holdfast.agent;

import dev.holdfast.attestation.EventLog;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.updater.Installer;
import dev.holdfast.wire.Verdict;
import java.io.IOException;

/**
 * What the update loop works with.
 *
 * @param enrolment done before the first look
 * @param report told whenever the state changed
 */
record UpdateParts(
        TrustStart trust,
        FleetClient fleet,
        Installer installer,
        Enrolment enrolment,
        EventLog log,
        ModelMeasurements measurements,
        FloorClock clock,
        RefreshSchedule pace,
        Runnable report) {
    /** Starts a trust client; a rejection where the TEE or what is on the disk does not hold. */
    @FunctionalInterface
    interface TrustStart {
        Verdict<TrustClient> start() throws IOException, TeeException;
    }
}
