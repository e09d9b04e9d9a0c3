package dev.holdfast.tee;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * One command in the making (TPM 2.0 Library Part 1, 18): header, handles, authorizations, parameters. Not thread-safe.
 */
final class TpmCommand {
    /**
     * How a handle is authorized. Today a password (all our objects have an empty one) or a policy session that needs no
     * HMAC. An HMAC session would add its nonce and a computation over the parameters here, and nowhere else.
     */
    private record Authorization(long session, int attributes) {}

    private static final int CONTINUE_SESSION = 1;

    private final long code;
    private final TpmWriter handles = new TpmWriter();
    private final List<Authorization> authorizations = new ArrayList<>();
    private final TpmWriter parameters = new TpmWriter();

    TpmCommand(long code) {
        this.code = code;
    }

    /** A handle that needs no authorization. */
    TpmCommand handle(long handle) {
        handles.u32(handle);
        return this;
    }

    /** A handle whose authorization value is empty. */
    TpmCommand authorized(long handle) {
        return authorized(handle, Tpm.RS_PW);
    }

    /** A handle that {@code session} authorizes. */
    TpmCommand authorized(long handle, long session) {
        authorizations.add(new Authorization(session, session == Tpm.RS_PW ? 0 : CONTINUE_SESSION));
        return handle(handle);
    }

    TpmCommand with(Consumer<TpmWriter> write) {
        write.accept(parameters);
        return this;
    }

    long code() {
        return code;
    }

    boolean hasSessions() {
        return !authorizations.isEmpty();
    }

    byte[] encode() {
        TpmWriter area = new TpmWriter();
        for (Authorization a : authorizations) {
            area.u32(a.session()).u16(0).u8(a.attributes()).u16(0);
        }
        TpmWriter body = new TpmWriter().bytes(handles.toArray());
        if (hasSessions()) {
            body.u32(area.toArray().length).bytes(area.toArray());
        }
        byte[] rest = body.bytes(parameters.toArray()).toArray();
        return new TpmWriter()
                .u16(hasSessions() ? Tpm.ST_SESSIONS : Tpm.ST_NO_SESSIONS)
                .u32(TpmConnection.HEADER_BYTES + rest.length)
                .u32(code)
                .bytes(rest)
                .toArray();
    }
}
