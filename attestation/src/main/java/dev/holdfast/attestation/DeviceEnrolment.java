package dev.holdfast.attestation;

import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Verdict;

/** The device's side of enrolment. One instance per attempt. Not thread-safe. */
public final class DeviceEnrolment {
    private final byte[] request = new byte[0];

    /** Collects keys and certificates from the TEE. */
    public DeviceEnrolment(TeeBridge bridge, String deviceId) throws TeeException {}

    /** What to send to the fleet first. */
    public byte[] request() {
        return request.clone();
    }

    /** Answers the fleet's challenge with the proof to send. */
    public Verdict<byte[]> prove(byte[] challenge) throws TeeException {
        return Verdict.rejected(dev.holdfast.wire.Code.ATT_ENROL, "not yet");
    }
}
