package dev.holdfast.agent;

import dev.holdfast.link.LinkException;
import dev.holdfast.storage.DiskException;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;

/** The code of a fault: that of its cause, whoever meets it. */
final class Faults {
    private Faults() {}

    static Rejection reasonOf(Exception fault) {
        return switch (fault) {
            case TeeException tee -> reasonOf(tee);
            case IOException io -> reasonOf(io);
            default -> new Rejection(Code.INS_INTERNAL, fault.toString());
        };
    }

    static Rejection reasonOf(TeeException fault) {
        // The message begins with the code.
        String message = String.valueOf(fault.getMessage());
        String id = fault.code().id() + ": ";
        return new Rejection(fault.code(), message.startsWith(id) ? message.substring(id.length()) : message);
    }

    /** The network says what it is by its own exceptions; what is left is the device's disk. */
    static Rejection reasonOf(IOException fault) {
        return switch (fault) {
            case SourceException source -> SourceException.reasonOf(source);
            case LinkException link -> link.rejection();
            default -> DiskException.reasonOf(fault).orElseGet(() -> new Rejection(Code.INS_STORAGE, fault.toString()));
        };
    }
}
