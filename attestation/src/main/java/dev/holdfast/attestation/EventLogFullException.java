package dev.holdfast.attestation;

import java.io.IOException;

/** The event log takes no further event of this kind, until another boot begins a fresh one or a model is retired. */
public final class EventLogFullException extends IOException {
    private static final long serialVersionUID = 1L;

    EventLogFullException(String message) {
        super(message);
    }
}
