package dev.holdfast.tee.tpm;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * One command in the making (TPM 2.0 Library Part 1, 18): header, handles, authorizations, parameters; and the check of
 * its response. Not thread-safe.
 */
final class TpmCommand {
    /** How a handle is authorized. */
    private sealed interface Authorization {}

    /** An empty password. */
    private record Password() implements Authorization {}

    /** A session with its attributes, and the authorization value of what it authorizes. */
    private record Keyed(TpmSession session, int attributes, AuthValue auth) implements Authorization {}

    private final long code;
    private final TpmWriter handles = new TpmWriter();
    private final TpmWriter names = new TpmWriter();
    private final List<Authorization> authorizations = new ArrayList<>();
    private final TpmWriter parameters = new TpmWriter();

    TpmCommand(long code) {
        this.code = code;
    }

    /** A handle that needs no authorization and is its own name, or is used in a command without keyed sessions. */
    TpmCommand handle(long handle) {
        return named(handle, new TpmWriter().u32(handle).toBinary());
    }

    /** An object or index that another session's HMAC names. */
    TpmCommand handle(long handle, Binary name) {
        return named(handle, name);
    }

    /** A handle whose authorization value is empty. */
    TpmCommand authorized(long handle) {
        authorizations.add(new Password());
        return handle(handle);
    }

    /** An object whose authorization value is empty, in a command that another session makes whole. */
    TpmCommand authorized(long handle, Binary name) {
        authorizations.add(new Password());
        return named(handle, name);
    }

    /** An object that {@code session} authorizes and that has no authorization value; its name goes into the HMAC. */
    TpmCommand authorized(long handle, Binary name, TpmSession session, int attributes) {
        return authorized(handle, name, session, attributes, AuthValue.EMPTY);
    }

    /** An object that {@code session} authorizes by its authorization value. */
    TpmCommand authorized(long handle, Binary name, TpmSession session, int attributes, AuthValue auth) {
        authorizations.add(new Keyed(session, attributes | TpmSession.CONTINUE, auth));
        return named(handle, name);
    }

    /** A hierarchy that {@code session} authorizes by its password. */
    TpmCommand authorized(long hierarchy, TpmSession session, int attributes, AuthValue password) {
        return authorized(hierarchy, new TpmWriter().u32(hierarchy).toBinary(), session, attributes, password);
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

    /** Draws fresh nonces; the same bytes may be sent again as long as the TPM answers with an error. */
    byte[] encode() {
        byte[] sent = parameters.toArray();
        for (Authorization one : authorizations) {
            if (one instanceof Keyed(TpmSession session, int attributes, AuthValue auth)) {
                session.roll();
                if ((attributes & TpmSession.DECRYPT) != 0) {
                    sent = session.encryptFirst(sent, auth);
                }
            }
        }
        byte[] cpHash = Sha256.of(new TpmWriter().u32(code).toArray(), names.toArray(), sent)
                .toArray();
        TpmWriter area = new TpmWriter();
        for (Authorization one : authorizations) {
            switch (one) {
                case Password() -> area.u32(Tpm.RS_PW).u16(0).u8(0).u16(0);
                case Keyed(TpmSession session, int attributes, AuthValue auth) ->
                    area.u32(session.handle())
                            .sized(session.nonceCaller())
                            .u8(attributes)
                            .sized(session.commandHmac(cpHash, attributes, auth));
            }
        }
        TpmWriter body = new TpmWriter().bytes(handles.toArray());
        if (hasSessions()) {
            body.u32(area.toArray().length).bytes(area.toArray());
        }
        byte[] rest = body.bytes(sent).toArray();
        return new TpmWriter()
                .u16(hasSessions() ? Tpm.ST_SESSIONS : Tpm.ST_NO_SESSIONS)
                .u32(TpmConnection.HEADER_BYTES + rest.length)
                .u32(code)
                .bytes(rest)
                .toArray();
    }

    /**
     * Checks the sessions of a successful response and opens its first parameter where that is encrypted.
     *
     * @param received the response's parameters as they came
     * @param area what follows them: one TPMS_AUTH_RESPONSE for each authorization
     */
    byte[] open(byte[] received, TpmReader area) throws RejectedException {
        byte[] rpHash = Sha256.of(new TpmWriter().u32(Tpm.RC_SUCCESS).u32(code).toArray(), received)
                .toArray();
        byte[] parametersInClear = received;
        for (Authorization one : authorizations) {
            byte[] nonceTpm = area.sized(Sha256.BYTES).toArray();
            int attributes = area.u8();
            byte[] hmac = area.sized(Sha256.BYTES).toArray();
            if (one instanceof Keyed(TpmSession session, int asked, AuthValue auth)) {
                if (!session.accepts(rpHash, nonceTpm, attributes, hmac, auth)) {
                    throw area.malformed("the response is not authentic: its HMAC is wrong");
                }
                if ((asked & TpmSession.ENCRYPT) != 0) {
                    if ((attributes & TpmSession.ENCRYPT) == 0) {
                        throw area.malformed("a response in clear where an encrypted one was asked for");
                    }
                    parametersInClear = session.decryptFirst(received, auth);
                }
            }
        }
        area.end();
        return parametersInClear;
    }

    private TpmCommand named(long handle, Binary name) {
        handles.u32(handle);
        names.bytes(name);
        return this;
    }
}
