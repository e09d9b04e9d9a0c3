package dev.holdfast.link;

import dev.holdfast.wire.Code;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.openssl.PEMEncryptedKeyPair;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.pkcs.PKCS8EncryptedPrivateKeyInfo;

/**
 * Reads the files that {@link BrokerAccess} names. What cannot be used is {@code LNK-FILE}, with the file, what is wrong with it and what
 * to do; nothing of a secret is in a message.
 */
final class AccessFiles {
    /** Far beyond the authorities of a fleet; the JDK's own list of the whole world has as much. */
    private static final int MAX_BYTES = 256 * 1024;
    /** MQTT 5.0 section 3.1.3.6. */
    private static final int MAX_PASSWORD_BYTES = 65_535;
    /** Who has no business with a secret. A group may read it: that of the service, where root writes the file. */
    private static final Set<PosixFilePermission> LOOSE = EnumSet.of(
            PosixFilePermission.OTHERS_READ, PosixFilePermission.OTHERS_WRITE, PosixFilePermission.GROUP_WRITE);

    private AccessFiles() {}

    /** The first line of a secret file. */
    static byte[] password(Path file) throws LinkException {
        byte[] all = secret(file);
        int end = 0;
        while (end < all.length && all[end] != '\n' && all[end] != '\r') {
            end++;
        }
        if (end == 0 || end > MAX_PASSWORD_BYTES) {
            throw unusable(file, "its first line must be the password, 1 to " + MAX_PASSWORD_BYTES + " bytes");
        }
        return Arrays.copyOf(all, end);
    }

    /** All certificates of a file, in its order; at least one. */
    static List<X509Certificate> certificates(Path file) throws LinkException {
        List<X509Certificate> found = new ArrayList<>();
        for (Object each : objects(file, read(file))) {
            if (each instanceof X509CertificateHolder holder) {
                found.add(certificate(file, holder));
            }
        }
        if (found.isEmpty()) {
            throw unusable(file, "it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)");
        }
        return found;
    }

    private static X509Certificate certificate(Path file, X509CertificateHolder holder) throws LinkException {
        try {
            return (X509Certificate) CertificateFactory.getInstance("X.509")
                    .generateCertificate(new ByteArrayInputStream(holder.getEncoded()));
        } catch (GeneralSecurityException | IOException e) {
            throw unusable(file, "a certificate in it does not read: " + e.getMessage());
        }
    }

    /** The private key of a secret file, which must be that of {@code certificate}. */
    static PrivateKey key(Path file, X509Certificate certificate) throws LinkException {
        for (Object each : objects(file, secret(file))) {
            PrivateKeyInfo info = switch (each) {
                case PrivateKeyInfo pkcs8 -> pkcs8;
                case PEMKeyPair traditional -> traditional.getPrivateKeyInfo();
                case PKCS8EncryptedPrivateKeyInfo _, PEMEncryptedKeyPair _ ->
                    throw unusable(file, "the key is encrypted, and a service has nobody to ask: store it decrypted");
                default -> null;
            };
            if (info != null) {
                PrivateKey key = key(file, info);
                if (!fits(key, certificate.getPublicKey())) {
                    throw unusable(
                            file,
                            "it is not the key of the certificate of "
                                    + certificate.getSubjectX500Principal().getName());
                }
                return key;
            }
        }
        throw unusable(file, "it holds no private key in PEM (-----BEGIN PRIVATE KEY-----)");
    }

    private static PrivateKey key(Path file, PrivateKeyInfo info) throws LinkException {
        try {
            return new JcaPEMKeyConverter().getPrivateKey(info);
        } catch (IOException e) {
            throw unusable(file, "the key does not read: " + e.getMessage());
        }
    }

    /** Whether one signs what the other verifies. */
    private static boolean fits(PrivateKey key, PublicKey certified) {
        String algorithm = switch (key.getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> key.getAlgorithm();
        };
        byte[] probe = "holdfast".getBytes(StandardCharsets.US_ASCII);
        try {
            Signature signature = Signature.getInstance(algorithm);
            signature.initSign(key);
            signature.update(probe);
            byte[] made = signature.sign();
            signature.initVerify(certified);
            signature.update(probe);
            return signature.verify(made);
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private static List<Object> objects(Path file, byte[] bytes) throws LinkException {
        List<Object> found = new ArrayList<>();
        try (PEMParser pem = new PEMParser(new StringReader(new String(bytes, StandardCharsets.ISO_8859_1)))) {
            for (Object each = pem.readObject(); each != null; each = pem.readObject()) {
                found.add(each);
            }
        } catch (IOException | RuntimeException e) {
            // Its words may hold bytes of the file.
            throw unusable(file, "it is not well-formed PEM");
        }
        return found;
    }

    private static byte[] secret(Path file) throws LinkException {
        try {
            Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(file);
            if (permissions.stream().anyMatch(LOOSE::contains)) {
                throw unusable(
                        file,
                        "others than its owner and group can read or change it: chmod o-rwx,g-w, and think of"
                                + " the secret as known");
            }
        } catch (IOException e) {
            throw unreadable(file, e);
        }
        return read(file);
    }

    private static byte[] read(Path file) throws LinkException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(MAX_BYTES + 1);
            if (bytes.length > MAX_BYTES) {
                throw unusable(file, "it is longer than " + MAX_BYTES + " bytes");
            }
            return bytes;
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    private static LinkException unreadable(Path file, IOException failure) {
        return switch (failure) {
            case LinkException known -> known;
            case NoSuchFileException _ -> unusable(file, "there is no such file");
            case java.nio.file.AccessDeniedException _ -> unusable(file, "this process may not read it");
            default -> unusable(file, String.valueOf(failure.getMessage()));
        };
    }

    private static LinkException unusable(Path file, String why) {
        return new LinkException(Code.LNK_FILE, file + ": " + why);
    }
}
