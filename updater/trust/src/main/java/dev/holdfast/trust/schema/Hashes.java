package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Optional;

/** The hashes that metadata gives of a file (TUF 1.0.34 section 4.4): at least one of those that this client knows. */
public record Hashes(Optional<Sha256> sha256, Optional<Binary> sha512) {
    private static final int SHA512_BYTES = 64;

    public Hashes {
        if (sha256.isEmpty() && sha512.isEmpty()) {
            throw new IllegalArgumentException("no hash");
        }
    }

    public static Hashes of(Sha256 sha256) {
        return new Hashes(Optional.of(sha256), Optional.empty());
    }

    static Hashes read(Fields fields) throws RejectedException {
        Optional<Sha256> sha256 = fields.has("sha256") ? Optional.of(fields.sha256("sha256")) : Optional.empty();
        Optional<Binary> sha512 = Optional.empty();
        if (fields.has("sha512")) {
            sha512 = Optional.of(
                    Binary.fromHex(fields.text("sha512", 2 * SHA512_BYTES)).orThrow());
        }
        if (sha256.isEmpty() && sha512.isEmpty()
                || sha512.isPresent() && sha512.get().length() != SHA512_BYTES) {
            throw new RejectedException(Code.UPD_FORMAT, "a hash by sha256 or sha512 is expected");
        }
        return new Hashes(sha256, sha512);
    }

    /** The object, as {@link #read} reads it. */
    ObjectNode toJson() {
        ObjectNode json = Json.object();
        sha256.ifPresent(hash -> json.put("sha256", hash.hex()));
        sha512.ifPresent(hash -> json.put("sha512", hash.hex()));
        return json;
    }

    /** One of them in hexadecimal, for the name of a file. */
    public String hex() {
        return sha256.map(Sha256::hex).orElseGet(() -> sha512.orElseThrow().hex());
    }

    boolean match(byte[] bytes) {
        Running running = new Running();
        running.update(bytes, bytes.length);
        return running.match(this);
    }

    /** Hashes of a file that comes in pieces. */
    public static final class Running {
        private final MessageDigest sha256 = Sha256.newDigest();
        private final MessageDigest sha512;

        public Running() {
            try {
                sha512 = MessageDigest.getInstance("SHA-512");
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException(e);
            }
        }

        public void update(byte[] bytes, int length) {
            sha256.update(bytes, 0, length);
            sha512.update(bytes, 0, length);
        }

        /** Whether all hashes that are expected are these. Ends the computation. */
        public boolean match(Hashes expected) {
            Sha256 first = Sha256.finish(sha256);
            Binary second = Binary.copyOf(sha512.digest());
            return expected.sha256.map(first::equals).orElse(true)
                    && expected.sha512.map(second::equals).orElse(true);
        }
    }
}
