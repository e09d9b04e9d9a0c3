package dev.holdfast.agent;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Binary;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;

/** Where the device keeps what the fleet's authority issued: {@code attestation.crt}, {@code tls.crt}, {@code authority.crt}. */
final class CertificateFiles {
    private static final int LINE_CHARS = 64;

    private CertificateFiles() {}

    /** Replaces the three files, PEM, in {@code dir}, which is made where it is absent. */
    static void keep(Path dir, DeviceEnrolment.Issued issued) throws IOException {
        Disk.LOCAL.createDirectories(dir, Disk.Access.PRIVATE);
        Disk.LOCAL.replace(dir.resolve("attestation.crt"), pem(issued.attestation()), Disk.Access.PRIVATE);
        Disk.LOCAL.replace(dir.resolve("tls.crt"), pem(issued.tls()), Disk.Access.PRIVATE);
        Disk.LOCAL.replace(dir.resolve("authority.crt"), pem(issued.authority()), Disk.Access.PRIVATE);
    }

    private static byte[] pem(Binary der) {
        String base64 = Base64.getMimeEncoder(LINE_CHARS, new byte[] {'\n'}).encodeToString(der.toArray());
        return ("-----BEGIN CERTIFICATE-----\n" + base64 + "\n-----END CERTIFICATE-----\n")
                .getBytes(StandardCharsets.US_ASCII);
    }
}
