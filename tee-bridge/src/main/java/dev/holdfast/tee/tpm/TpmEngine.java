package dev.holdfast.tee.tpm;

import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/** Sends commands and understands response codes. Only on the {@code tee} thread. */
final class TpmEngine {
    /** RETRY and its kin are waited for this often, with waits that double from 10 ms: 2.5 s in all. */
    private static final int MAX_TRIES = 9;

    private static final long FIRST_WAIT_NANOS = 10_000_000;
    private static final int MAX_LISTED = 64;
    private static final long CAP_HANDLES = 1;
    private static final long CAP_TPM_PROPERTIES = 6;

    /**
     * A response.
     *
     * @param rc the response code; the other two mean something only when it is 0
     * @param handle the handle that the command returned, or 0
     * @param parameters the response's parameters and nothing after them
     */
    record Reply(long rc, long handle, TpmReader parameters) {}

    private final TpmConnection connection;

    TpmEngine(TpmConnection connection) {
        this.connection = connection;
    }

    /** Runs a command that must succeed and returns no handle. */
    TpmReader run(TpmCommand command) throws TeeException, RejectedException {
        return must(command, send(command, false)).parameters();
    }

    /** Runs a command that must succeed and returns a handle. */
    Reply load(TpmCommand command) throws TeeException, RejectedException {
        return must(command, send(command, true));
    }

    /** Runs a command whose refusal the caller understands. */
    Reply send(TpmCommand command, boolean returnsHandle) throws TeeException, RejectedException {
        long wait = FIRST_WAIT_NANOS;
        byte[] bytes = command.encode();
        for (int attempt = 1; ; attempt++) {
            Reply reply = parse(command, connection.transmit(bytes), returnsHandle);
            if (!isTransient(reply.rc()) || attempt == MAX_TRIES) {
                return reply;
            }
            LockSupport.parkNanos(wait);
            wait *= 2;
        }
    }

    /** The public area of an object or an index, and its name, whatever algorithm makes that. */
    record Published(Binary area, Binary name) {}

    /** TPM2_ReadPublic (12.4) or TPM2_NV_ReadPublic (31.6); nothing where nothing is at {@code handle}. */
    Optional<Published> published(long readPublic, long handle) throws TeeException, RejectedException {
        TpmCommand command = new TpmCommand(readPublic).handle(handle);
        Reply reply = send(command, false);
        if (Tpm.base(reply.rc()) == Tpm.RC_HANDLE) {
            return Optional.empty();
        }
        TpmReader found = must(command, reply).parameters();
        return Optional.of(new Published(found.sized(TpmConnection.MAX_BYTES), found.sized(TpmConnection.MAX_BYTES)));
    }

    void flush(long handle) throws TeeException, RejectedException {
        run(new TpmCommand(Tpm.CC_FLUSH_CONTEXT).with(w -> w.u32(handle)));
    }

    /** The handles of one kind that are loaded now, from {@code first} on. */
    List<Long> handles(long first) throws TeeException, RejectedException {
        TpmReader reader = capability(CAP_HANDLES, first, MAX_LISTED);
        List<Long> handles = new ArrayList<>();
        long count = bounded(reader);
        for (int i = 0; i < count; i++) {
            handles.add(reader.u32());
        }
        return handles;
    }

    /** One fixed property (Part 2, 6.13), or 0 where the TPM has none. */
    long property(long tag) throws TeeException, RejectedException {
        TpmReader reader = capability(CAP_TPM_PROPERTIES, tag, 1);
        if (bounded(reader) == 0) {
            return 0;
        }
        return reader.u32() == tag ? reader.u32() : 0;
    }

    private TpmReader capability(long capability, long property, int count) throws TeeException, RejectedException {
        TpmReader reader = run(new TpmCommand(Tpm.CC_GET_CAPABILITY)
                .with(w -> w.u32(capability).u32(property).u32(count)));
        reader.u8(); // more data
        if (reader.u32() != capability) {
            throw reader.malformed("another capability than was asked for");
        }
        return reader;
    }

    private static long bounded(TpmReader reader) throws RejectedException {
        long count = reader.u32();
        if (count > MAX_LISTED) {
            throw reader.malformed("a list of " + count);
        }
        return count;
    }

    private static Reply must(TpmCommand command, Reply reply) throws TeeException {
        if (reply.rc() != Tpm.RC_SUCCESS) {
            throw refusal(command, reply.rc());
        }
        return reply;
    }

    static TeeException refusal(TpmCommand command, long rc) {
        String text = "command 0x" + Long.toHexString(command.code()) + " returned 0x" + Long.toHexString(rc);
        if (rc == Tpm.RC_LOCKOUT) {
            return new TeeException(Code.TEE_LOCKOUT, text);
        }
        if (Tpm.isAuthFailure(rc)) {
            return new TeeException(Code.TEE_REFUSED, "the TPM asks for a password: " + text);
        }
        return new TeeException(isTransient(rc) ? Code.TEE_UNAVAILABLE : Code.TEE_REFUSED, text);
    }

    private Reply parse(TpmCommand command, byte[] response, boolean returnsHandle) throws RejectedException {
        TpmReader reader = new TpmReader(response);
        boolean sessions = command.hasSessions();
        int tag = reader.u16();
        reader.u32(); // the size, checked by the connection
        long rc = reader.u32();
        if (rc != Tpm.RC_SUCCESS) {
            return new Reply(rc, 0, new TpmReader(new byte[0]));
        }
        if (tag != (sessions ? Tpm.ST_SESSIONS : Tpm.ST_NO_SESSIONS)) {
            throw reader.malformed("response tag 0x" + Integer.toHexString(tag));
        }
        long handle = returnsHandle ? reader.u32() : 0;
        long size = sessions ? reader.u32() : reader.remaining();
        if (size > reader.remaining()) {
            throw reader.malformed("parameters longer than the response");
        }
        byte[] parameters = reader.bytes((int) size).toArray();
        return new Reply(rc, handle, new TpmReader(sessions ? command.open(parameters, reader) : parameters));
    }

    private static boolean isTransient(long rc) {
        return rc == Tpm.RC_RETRY || rc == Tpm.RC_YIELDED || rc == Tpm.RC_TESTING || rc == Tpm.RC_NV_RATE;
    }
}
