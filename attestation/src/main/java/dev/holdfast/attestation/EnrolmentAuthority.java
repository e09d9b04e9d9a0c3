package dev.holdfast.attestation;

import dev.holdfast.wire.Verdict;

/**
 * The fleet's side of enrolment: request, challenge, proof. Messages are bytes, so any transport will do. One instance
 * per attempt and device. Not thread-safe.
 */
public final class EnrolmentAuthority {
    private EnrolmentAuthority() {}

    /** A challenge in flight. */
    public interface Attempt {
        /** What to send to the device. */
        byte[] challenge();

        /** The enrolled device, when the proof holds. A proof is looked at once. */
        Verdict<EnrolledDevice> complete(byte[] proof);
    }

    /** Checks a request and makes a challenge that only the device's TEE can answer. */
    public static Verdict<Attempt> begin(byte[] request) {
        return Verdict.rejected(dev.holdfast.wire.Code.ATT_ENROL, "not yet");
    }
}
