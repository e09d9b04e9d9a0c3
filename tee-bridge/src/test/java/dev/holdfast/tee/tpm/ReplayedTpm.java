package dev.holdfast.tee.tpm;

import dev.holdfast.tee.P256;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.interfaces.ECPublicKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;

/**
 * A TPM that says once more what a real one said in an operation, but lies in one response. It puts an endorsement key of
 * its own in the place of the real one, so it can answer salted sessions with a valid HMAC: what is behind the HMAC gets
 * lies too. Used for one operation.
 */
final class ReplayedTpm implements TpmWire.Responder {
    /** Number of handles of the commands whose responses can carry an HMAC. */
    private static final Map<Long, Integer> HANDLES = Map.ofEntries(
            Map.entry(Tpm.CC_CREATE, 1),
            Map.entry(Tpm.CC_CREATE_PRIMARY, 1),
            Map.entry(Tpm.CC_LOAD, 1),
            Map.entry(Tpm.CC_SIGN, 1),
            Map.entry(Tpm.CC_CERTIFY, 2),
            Map.entry(Tpm.CC_UNSEAL, 1),
            Map.entry(Tpm.CC_ACTIVATE_CREDENTIAL, 2),
            Map.entry(Tpm.CC_EVICT_CONTROL, 2),
            Map.entry(Tpm.CC_NV_DEFINE_SPACE, 1),
            Map.entry(Tpm.CC_NV_UNDEFINE_SPACE, 2),
            Map.entry(Tpm.CC_NV_INCREMENT, 2),
            Map.entry(Tpm.CC_NV_READ, 2),
            Map.entry(Tpm.CC_NV_EXTEND, 2));

    /** Those whose responses carry a handle before the parameters. */
    private static final Set<Long> RETURN_HANDLES = Set.of(Tpm.CC_CREATE_PRIMARY, Tpm.CC_LOAD);

    private static final int NONCE_BYTES = 16;
    private static final byte[] UNABLE = new TpmWriter()
            .u16(Tpm.ST_NO_SESSIONS)
            .u32(TpmConnection.HEADER_BYTES)
            .u32(0x101) // TPM_RC_FAILURE
            .toArray();

    /** Something to do with a bridge; byte arrays come back as {@link Binary}. */
    @FunctionalInterface
    interface Operation {
        Object run(Tpm2Bridge bridge) throws TeeException;
    }

    /** One command of a real TPM and its response. */
    record Exchange(Binary command, Binary response) {
        long code() {
            return ByteBuffer.wrap(command.toArray()).getInt(6);
        }

        /** Whether a session makes the response authentic; those of policy sessions count, since ours have keys, too. */
        boolean isKeyed() {
            Integer handles = HANDLES.get(code());
            ByteBuffer bytes = ByteBuffer.wrap(command.toArray());
            if (handles == null || bytes.getShort(0) != (short) Tpm.ST_SESSIONS || response.length() <= 10) {
                return false;
            }
            int at = TpmConnection.HEADER_BYTES + Integer.BYTES * handles;
            int end = at + Integer.BYTES + bytes.getInt(at);
            for (at += Integer.BYTES; at < end; ) {
                if (Integer.toUnsignedLong(bytes.getInt(at)) != Tpm.RS_PW) {
                    return true;
                }
                at += Integer.BYTES;
                at += Short.BYTES + bytes.getShort(at) + 1;
                at += Short.BYTES + bytes.getShort(at);
            }
            return false;
        }
    }

    /** What an operation said to a real TPM, what that answered, and what came of it. */
    record Recording(Tpm2Options options, Operation operation, List<Exchange> exchanges, Object result) {}

    /** Where a lie is told. */
    enum Place {
        /** Somebody on the bus changes the response. */
        ON_THE_BUS,
        /** The TPM itself answers another thing; only in commands that are {@linkplain Exchange#isKeyed keyed}. */
        IN_THE_TPM
    }

    /** The response that is changed, and how. */
    record Lie(int exchange, Place place, UnaryOperator<byte[]> change) {}

    private record Session(byte[] key) {}

    private final Recording recording;
    private final KeyPair endorsement;
    private final Lie lie;
    private Session session = new Session(new byte[0]);
    private Binary last = Binary.empty();
    private int next;

    ReplayedTpm(Recording recording, KeyPair endorsement, Lie lie) {
        this.recording = recording;
        this.endorsement = endorsement;
        this.lie = lie;
    }

    /** Does {@code operation} on a real TPM with a bridge that knows nothing yet. */
    static Recording record(TpmAddress address, Tpm2Options options, Operation operation) throws TeeException {
        List<Exchange> exchanges = new ArrayList<>();
        TpmWire.Tap tap = (command, response) -> {
            exchanges.add(new Exchange(Binary.copyOf(command), Binary.copyOf(response)));
            return response;
        };
        try (Tpm2Bridge bridge = Tpm2Bridge.open(() -> TpmWire.tapped(address, tap), options)) {
            return new Recording(options, operation, exchanges, operation.run(bridge));
        }
    }

    /** The same with another endorsement key in the place of the real one. */
    static Recording withEndorsement(Recording recording, ECPublicKey real, ECPublicKey own) {
        List<Exchange> exchanges = recording.exchanges().stream()
                .map(one -> new Exchange(
                        one.command(), Binary.copyOf(replaced(one.response().toArray(), real, own))))
                .toList();
        return new Recording(recording.options(), recording.operation(), exchanges, recording.result());
    }

    private static byte[] replaced(byte[] response, ECPublicKey real, ECPublicKey own) {
        byte[] from = P256.encode(real).toArray();
        byte[] to = P256.encode(own).toArray();
        for (int half = 0; half < from.length; half += P256.FIELD_BYTES) {
            for (int at = 0; at + P256.FIELD_BYTES <= response.length; at++) {
                if (Arrays.equals(response, at, at + P256.FIELD_BYTES, from, half, half + P256.FIELD_BYTES)) {
                    System.arraycopy(to, half, response, at, P256.FIELD_BYTES);
                }
            }
        }
        return response;
    }

    @Override
    public byte[] respond(byte[] command) {
        if (last.equals(Binary.copyOf(command))) {
            // Sent again after a response that asks for it.
            return recording.exchanges().get(next - 1).response().toArray();
        }
        last = Binary.copyOf(command);
        long code = ByteBuffer.wrap(command).getInt(6);
        for (int at = next; at < recording.exchanges().size(); at++) {
            Exchange exchange = recording.exchanges().get(at);
            if (exchange.code() == code) {
                next = at + 1;
                return answer(command, exchange, at);
            }
        }
        return UNABLE.clone();
    }

    private byte[] answer(byte[] command, Exchange exchange, int at) {
        try {
            byte[] response = exchange.response().toArray();
            if (exchange.code() == Tpm.CC_START_AUTH_SESSION) {
                session = start(command, response);
            }
            boolean lies = at == lie.exchange();
            if (exchange.isKeyed()) {
                byte[] clear = parameters(exchange.code(), response);
                boolean inside = lies && lie.place() == Place.IN_THE_TPM;
                response = authentic(exchange, command, inside ? lie.change().apply(clear) : clear);
            }
            return lies && lie.place() == Place.ON_THE_BUS ? lie.change().apply(response) : response;
        } catch (RejectedException e) {
            throw new AssertionError("the bridge's own command cannot be read", e);
        }
    }

    private Session start(byte[] command, byte[] response) throws RejectedException {
        TpmReader asked = new TpmReader(command);
        asked.bytes(TpmConnection.HEADER_BYTES + 2 * Integer.BYTES);
        byte[] nonceCaller = asked.sized(64).toArray();
        TpmReader salt = new TpmReader(asked.sized(256).toArray());
        ECPublicKey ephemeral = TpmPublic.point(salt);
        TpmReader answered = new TpmReader(response);
        answered.bytes(TpmConnection.HEADER_BYTES + Integer.BYTES);
        byte[] nonceTpm = answered.sized(64).toArray();
        try {
            KeyAgreement agreement = KeyAgreement.getInstance("ECDH");
            agreement.init(endorsement.getPrivate());
            agreement.doPhase(ephemeral, true);
            byte[] secret = TpmKdf.kdfe(
                    agreement.generateSecret(), "SECRET", x(ephemeral), x((ECPublicKey) endorsement.getPublic()));
            return new Session(TpmKdf.kdfa(secret, "ATH", nonceTpm, nonceCaller, 256));
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    /** The response's parameters before encryption. */
    private byte[] parameters(long code, byte[] response) throws RejectedException {
        if (code == Tpm.CC_UNSEAL || code == Tpm.CC_ACTIVATE_CREDENTIAL) {
            return new TpmWriter().sized((Binary) recording.result()).toArray();
        }
        TpmReader reader = new TpmReader(response);
        reader.bytes(TpmConnection.HEADER_BYTES + (RETURN_HANDLES.contains(code) ? Integer.BYTES : 0));
        return reader.bytes((int) reader.u32()).toArray();
    }

    /** The session's key with the authorization value of what the command uses: only the counter and stored keys have one. */
    private byte[] key(long code) {
        boolean valued = Set.of(Tpm.CC_NV_INCREMENT, Tpm.CC_NV_READ, Tpm.CC_SIGN, Tpm.CC_LOAD, Tpm.CC_CERTIFY)
                .contains(code);
        byte[] value = valued ? recording.options().authorization().bytes() : new byte[0];
        return new TpmWriter().bytes(session.key()).bytes(value).toArray();
    }

    private byte[] authentic(Exchange exchange, byte[] command, byte[] clear) throws RejectedException {
        long code = exchange.code();
        TpmReader reader = new TpmReader(command);
        reader.bytes(TpmConnection.HEADER_BYTES + Integer.BYTES * HANDLES.getOrDefault(code, 0));
        TpmReader asked = new TpmReader(reader.bytes((int) reader.u32()).toArray());
        byte[] sent = clear;
        TpmWriter area = new TpmWriter();
        while (asked.remaining() > 0) {
            boolean password = asked.u32() == Tpm.RS_PW;
            byte[] nonceCaller = asked.sized(64).toArray();
            int attributes = asked.u8();
            asked.sized(64);
            if (password) {
                area.u16(0).u8(TpmSession.CONTINUE).u16(0);
                continue;
            }
            byte[] nonceTpm = new byte[NONCE_BYTES];
            if ((attributes & TpmSession.ENCRYPT) != 0) {
                sent = encrypted(clear, nonceTpm, nonceCaller); // never with an authorization value
            }
            byte[] rpHash = Sha256.of(
                            new TpmWriter().u32(Tpm.RC_SUCCESS).u32(code).toArray(), sent)
                    .toArray();
            byte[] hmac = TpmKdf.hmac(key(code), rpHash, nonceTpm, nonceCaller, new byte[] {(byte) attributes});
            area.sized(nonceTpm).u8(attributes).sized(hmac);
        }
        byte[] rest = new TpmWriter()
                .bytes(
                        RETURN_HANDLES.contains(code)
                                ? Binary.copyOf(
                                                exchange.response().toArray(),
                                                TpmConnection.HEADER_BYTES,
                                                Integer.BYTES)
                                        .toArray()
                                : new byte[0])
                .u32(sent.length)
                .bytes(sent)
                .bytes(area.toArray())
                .toArray();
        return new TpmWriter()
                .u16(Tpm.ST_SESSIONS)
                .u32(TpmConnection.HEADER_BYTES + rest.length)
                .u32(Tpm.RC_SUCCESS)
                .bytes(rest)
                .toArray();
    }

    private byte[] encrypted(byte[] clear, byte[] nonceTpm, byte[] nonceCaller) {
        if (clear.length < Short.BYTES) {
            return clear;
        }
        int size = Math.min(ByteBuffer.wrap(clear).getShort() & 0xffff, clear.length - Short.BYTES);
        byte[] content = Arrays.copyOfRange(clear, Short.BYTES, Short.BYTES + size);
        byte[] out = clear.clone();
        byte[] closed = TpmKdf.parameter(Cipher.ENCRYPT_MODE, session.key(), nonceTpm, nonceCaller, content);
        System.arraycopy(closed, 0, out, Short.BYTES, size);
        return out;
    }

    private static byte[] x(ECPublicKey key) {
        return P256.field(key.getW().getAffineX());
    }
}
