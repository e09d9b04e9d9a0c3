package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.Optional;

/**
 * A public key of metadata.
 *
 * @param kind key type and scheme together
 * @param key the JDK's key
 */
public record TufKey(KeyKind kind, PublicKey key) {
    private static final int MAX_PUBLIC_CHARS = 8192;
    /** RFC 8410 section 4: SubjectPublicKeyInfo of Ed25519 up to the 32 bytes of the key. */
    private static final byte[] ED25519_SPKI = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

    private static final int ED25519_BYTES = 32;
    private static final byte[] TAP21_PREFIX = {0x74, 0x75, 0x66, 0x01};

    /** Empty where key type and scheme are none that this client knows: such a key never verifies anything. */
    public static Optional<TufKey> fromJson(JsonNode json) throws RejectedException {
        Fields fields = Fields.of(json, Code.UPD_FORMAT);
        String type = fields.text("keytype", Envelope.MAX_NAME_CHARS);
        String scheme = fields.text("scheme", Envelope.MAX_NAME_CHARS);
        String publicText = fields.object("keyval").text("public", MAX_PUBLIC_CHARS);
        for (KeyKind kind : KeyKind.values()) {
            if (kind.scheme().equals(scheme) && (kind.keyType().equals(type) || isOldName(kind, type))) {
                return Optional.of(new TufKey(kind, decode(kind, publicText)));
            }
        }
        return Optional.empty();
    }

    /** Before version 1.0.20 of the specification, an ECDSA key's type was what is its scheme now. */
    private static boolean isOldName(KeyKind kind, String type) {
        return kind == KeyKind.ECDSA_P256 && type.equals(kind.scheme());
    }

    private static PublicKey decode(KeyKind kind, String text) throws RejectedException {
        try {
            byte[] spki = kind == KeyKind.ED25519 ? ed25519(text) : pem(text);
            PublicKey key = KeyFactory.getInstance(kind.keyAlgorithm()).generatePublic(new X509EncodedKeySpec(spki));
            if (key instanceof ECPublicKey ec && ec.getParams().getOrder().bitLength() != 256) {
                throw new RejectedException(Code.UPD_FORMAT, "an ecdsa key that is not on P-256");
            }
            if (key instanceof RSAPublicKey rsa
                    && (rsa.getModulus().bitLength() < 2048 || rsa.getModulus().bitLength() > 8192)) {
                throw new RejectedException(Code.UPD_FORMAT, "an rsa key of less than 2,048 or more than 8,192 bits");
            }
            return key;
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw new RejectedException(Code.UPD_FORMAT, "a public key does not decode: " + kind.scheme());
        }
    }

    private static byte[] ed25519(String hex) throws RejectedException {
        byte[] raw = Binary.fromHex(hex).orThrow().toArray();
        if (raw.length != ED25519_BYTES) {
            throw new RejectedException(Code.UPD_FORMAT, "an ed25519 key has 32 bytes");
        }
        byte[] spki = Arrays.copyOf(ED25519_SPKI, ED25519_SPKI.length + raw.length);
        System.arraycopy(raw, 0, spki, ED25519_SPKI.length, raw.length);
        return spki;
    }

    private static byte[] pem(String text) throws RejectedException {
        String begin = "-----BEGIN PUBLIC KEY-----";
        int start = text.indexOf(begin);
        int end = text.indexOf("-----END PUBLIC KEY-----");
        if (start < 0 || end < start) {
            throw new RejectedException(Code.UPD_FORMAT, "a PEM public key is expected");
        }
        return Base64.getMimeDecoder().decode(text.substring(start + begin.length(), end));
    }

    /** SHA-256 of the canonical key object, as TUF recommends for whoever makes a key; readers treat ids as opaque. */
    public String keyId() {
        return Sha256.of(CanonicalJson.bytes(toJson())).hex();
    }

    /** The TUF key object, as {@link #fromJson} reads it. */
    public ObjectNode toJson() {
        byte[] spki = key.getEncoded();
        String text = kind == KeyKind.ED25519
                ? Binary.copyOf(spki, ED25519_SPKI.length, ED25519_BYTES).hex()
                : "-----BEGIN PUBLIC KEY-----\n"
                        + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(spki)
                        + "\n-----END PUBLIC KEY-----\n";
        ObjectNode json = Json.object().put("keytype", kind.keyType()).put("scheme", kind.scheme());
        json.putObject("keyval").put("public", text);
        return json;
    }

    /** The key id alone: short enough for a log line, and what metadata calls the key. */
    @Override
    public String toString() {
        return kind + " " + keyId();
    }

    /** What the scheme signs for these canonical bytes. */
    public static byte[] message(KeyKind kind, byte[] canonical) throws GeneralSecurityException {
        return switch (kind) {
            case ED25519, ECDSA_P256, RSA_PSS_SHA256 -> canonical;
            case ML_DSA_44, ML_DSA_65, ML_DSA_87 -> {
                byte[] hash = MessageDigest.getInstance("SHA-512").digest(canonical);
                byte[] message = Arrays.copyOf(TAP21_PREFIX, TAP21_PREFIX.length + hash.length);
                System.arraycopy(hash, 0, message, TAP21_PREFIX.length, hash.length);
                yield message;
            }
        };
    }
}
