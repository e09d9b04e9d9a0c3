package dev.holdfast.trust.signing;

import dev.holdfast.storage.Disk;
import dev.holdfast.tee.P256;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.TufKey;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.Set;

/** A private key of the operator with its public half. Its text shows the key id only. Thread-safe. */
public final class SigningKey {
    private static final String SEALED = "ENCRYPTED PRIVATE KEY";
    private static final String PUBLIC = "PUBLIC KEY";

    private final PrivateKey privateKey;
    private final TufKey publicKey;
    private final String keyId;

    private SigningKey(KeyKind kind, PrivateKey privateKey, PublicKey publicKey) {
        this.privateKey = privateKey;
        this.publicKey = new TufKey(kind, publicKey);
        this.keyId = this.publicKey.keyId();
    }

    /** A fresh key pair. */
    public static SigningKey generate(KeyKind kind) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance(kind.keyAlgorithm());
            if (kind == KeyKind.ECDSA_P256) {
                generator.initialize(new ECGenParameterSpec("secp256r1"));
            }
            KeyPair pair = generator.generateKeyPair();
            return new SigningKey(kind, pair.getPrivate(), pair.getPublic());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Reads what {@link #save} wrote. */
    public static SigningKey load(KeyKind kind, Path pem) throws IOException {
        String text = Files.readString(pem, StandardCharsets.US_ASCII);
        try {
            KeyFactory factory = KeyFactory.getInstance(kind.keyAlgorithm());
            return new SigningKey(
                    kind,
                    factory.generatePrivate(new PKCS8EncodedKeySpec(section(text, "PRIVATE KEY"))),
                    factory.generatePublic(new X509EncodedKeySpec(section(text, "PUBLIC KEY"))));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw new IOException("no " + kind + " key in " + pem.getFileName(), e);
        }
    }

    /**
     * Reads what either {@code save} wrote.
     *
     * @param passphrase asked where the key is encrypted
     * @throws RejectedException {@code FLT-KEYS} where it is encrypted, and not under this passphrase
     */
    public static SigningKey load(KeyKind kind, Path pem, Passphrase passphrase) throws IOException, RejectedException {
        String text = Files.readString(pem, StandardCharsets.US_ASCII);
        if (!text.contains("-----BEGIN " + SEALED + "-----")) {
            return load(kind, pem);
        }
        try {
            byte[] pkcs8 = SealedPkcs8.open(section(text, SEALED), passphrase.get());
            KeyFactory factory = KeyFactory.getInstance(kind.keyAlgorithm());
            return new SigningKey(
                    kind,
                    factory.generatePrivate(new PKCS8EncodedKeySpec(pkcs8)),
                    factory.generatePublic(new X509EncodedKeySpec(section(text, PUBLIC))));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw new RejectedException(Code.FLT_KEYS, pem + " does not open with this passphrase");
        }
    }

    /** Writes PKCS#8 and SPKI as PEM into a new file that only its owner can read. */
    public void save(Path pem) throws IOException {
        save(pem, section("PRIVATE KEY", privateKey.getEncoded()));
    }

    /** The same with the private key encrypted. */
    public void save(Path pem, char[] passphrase) throws IOException {
        save(pem, section(SEALED, SealedPkcs8.seal(privateKey.getEncoded(), passphrase)));
    }

    private void save(Path pem, String secret) throws IOException {
        byte[] text = (secret + section(PUBLIC, publicKey.key().getEncoded())).getBytes(StandardCharsets.US_ASCII);
        try (FileChannel channel = FileChannel.open(
                pem,
                Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            channel.write(ByteBuffer.wrap(text));
            channel.force(true);
        }
        Disk.LOCAL.syncDirectory(Disk.directoryOf(pem));
    }

    public KeyKind kind() {
        return publicKey.kind();
    }

    /** The id of the public half. */
    public String keyId() {
        return keyId;
    }

    /** The public half: all that documents need. */
    public TufKey publicKey() {
        return publicKey;
    }

    /** Signs canonical bytes the way that the scheme asks for. */
    public byte[] sign(byte[] canonical) {
        try {
            Signature signature = kind().signature();
            signature.initSign(privateKey);
            signature.update(TufKey.message(kind(), canonical));
            return signature.sign();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** ES256 (RFC 7518, 3.4) over a hash: r || s. Only of the kind {@code ECDSA_P256}. */
    public byte[] signEs256(Sha256 digest) {
        if (kind() != KeyKind.ECDSA_P256) {
            throw new IllegalStateException(kind() + " signs no ES256");
        }
        return P256.sign(privateKey, digest);
    }

    private static String section(String name, byte[] der) {
        return "-----BEGIN " + name + "-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der) + "\n-----END " + name + "-----\n";
    }

    private static byte[] section(String text, String name) throws IOException {
        String begin = "-----BEGIN " + name + "-----";
        int start = text.indexOf(begin);
        int end = text.indexOf("-----END " + name + "-----");
        if (start < 0 || end < start) {
            throw new IOException("no " + name + " section");
        }
        return Base64.getMimeDecoder().decode(text.substring(start + begin.length(), end));
    }

    @Override
    public String toString() {
        return publicKey.toString();
    }
}
