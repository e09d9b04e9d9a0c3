package dev.holdfast.attestation.verify;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bouncycastle.cert.X509CRLHolder;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.openssl.PEMParser;

/** What TPM makers publish, as the operator put it into the fleet's folder: certificates in PEM, revocation lists in PEM or DER. */
final class MakerFiles {
    /** Of a revocation list. The longest of a TPM maker that was seen has less than 1 MiB. */
    private static final int MAX_BYTES = 16 << 20;

    private static final byte[] PEM = "-----BEGIN".getBytes(StandardCharsets.US_ASCII);

    private MakerFiles() {}

    /** One or more. */
    static List<X509CertificateHolder> certificates(Path file) throws IOException {
        return objects(bytes(file), X509CertificateHolder.class, file, "certificate");
    }

    /** One or more. */
    static List<X509CRLHolder> revocations(Path file) throws IOException {
        byte[] bytes = bytes(file);
        boolean pem = new String(bytes, 0, Math.min(bytes.length, 4096), StandardCharsets.ISO_8859_1)
                .contains(new String(PEM, StandardCharsets.US_ASCII));
        if (pem) {
            return objects(bytes, X509CRLHolder.class, file, "revocation list");
        }
        try {
            return List.of(new X509CRLHolder(bytes));
        } catch (RuntimeException e) {
            throw new IOException("no revocation list in " + file, e);
        }
    }

    private static byte[] bytes(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(MAX_BYTES + 1);
            if (bytes.length > MAX_BYTES) {
                throw new IOException(file + " is longer than " + MAX_BYTES + " bytes");
            }
            return bytes;
        }
    }

    private static <T> List<T> objects(byte[] bytes, Class<T> kind, Path file, String name) throws IOException {
        List<T> found = new ArrayList<>();
        try (Reader reader = new InputStreamReader(new ByteArrayInputStream(bytes), StandardCharsets.US_ASCII);
                PEMParser parser = new PEMParser(reader)) {
            for (Object next = parser.readObject(); next != null; next = parser.readObject()) {
                if (kind.isInstance(next)) {
                    found.add(kind.cast(next));
                }
            }
        } catch (RuntimeException e) {
            throw new IOException("no " + name + " in " + file, e);
        }
        if (found.isEmpty()) {
            throw new IOException("no " + name + " in " + file);
        }
        return found;
    }
}
