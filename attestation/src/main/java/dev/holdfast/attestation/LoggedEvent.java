package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;

/**
 * An event as the device keeps it.
 *
 * @param content what is extended into the register and sent to verifiers
 * @param cause on whose account it was recorded; known to the device alone
 */
record LoggedEvent(Binary content, Cause cause) {
    /** Who makes the log longer. */
    enum Cause {
        /** The agent: its start, or what an order has it do. */
        AGENT,
        /** The inference process, which said before evidence that it serves something else than the log names. */
        PROBE
    }

    static LoggedEvent of(ModelEvent event, Cause cause) {
        return new LoggedEvent(new Event.Model(event).content(), cause);
    }
}
