package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.PahoLink;
import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.DeviceTls;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Swtpm;
import dev.holdfast.tee.Tpm2Bridge;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.PublicKey;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import javax.net.ssl.SSLContext;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Mutual TLS with a key in a TPM, at a real broker that lets in nobody without a certificate. */
class DeviceTlsTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    @TempDir
    Path dir;

    private final List<Process> processes = new ArrayList<>();
    private final KeyPair authority = P256.generate();

    @AfterEach
    void stop() {
        processes.forEach(process -> process.destroyForcibly().onExit().join());
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.2", "TLSv1.3"})
    void theBrokerKnowsTheDeviceByItsKeyInTheTpm(String protocol) throws Exception {
        int port = broker();
        Path certificate = dir.resolve("tls.crt");
        try (Swtpm swtpm = Swtpm.start(dir.resolve("tpm"));
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            DeviceSigner signer = bridge.signer().orElseThrow();
            SSLContext tls = DeviceTls.client(protocol, signer, certificate, Optional.of(dir.resolve("ca.crt")));
            LinkConfig config = LinkConfig.of("ssl://localhost:" + port, "device-1", List.of())
                    .withTls(tls.getSocketFactory());
            try (PahoLink link = PahoLink.open(config, message -> {})) {
                // Not enrolled yet: the broker refuses, again and again.
                await(() -> log().contains("peer did not return a certificate"));
                assertThat(link.connected()).isFalse();
                pem(certificate, certificate("CN=device-1", signer.publicKey(), false));
                await(link::connected);
            }
            assertThat(log()).contains("u'device-1'");
            try (var socket = (javax.net.ssl.SSLSocket) tls.getSocketFactory().createSocket("localhost", port)) {
                socket.startHandshake();
                assertThat(socket.getSession().getProtocol()).isEqualTo(protocol);
                assertThat(socket.getSession().getLocalCertificates()).hasSize(1);
            }
        }
    }

    private int broker() throws Exception {
        KeyPair server = P256.generate();
        pem(dir.resolve("ca.crt"), certificate("CN=authority", authority.getPublic(), true));
        pem(dir.resolve("server.crt"), certificate("CN=localhost", server.getPublic(), false));
        Files.writeString(
                dir.resolve("server.key"),
                "-----BEGIN PRIVATE KEY-----\n"
                        + Base64.getMimeEncoder()
                                .encodeToString(server.getPrivate().getEncoded())
                        + "\n-----END PRIVATE KEY-----\n");
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Files.writeString(dir.resolve("mosquitto.conf"), """
                user root
                listener %d 127.0.0.1
                cafile %2$s/ca.crt
                certfile %2$s/server.crt
                keyfile %2$s/server.key
                require_certificate true
                use_identity_as_username true
                log_type all
                """.formatted(port, dir));
        start("mosquitto", "-c", dir.resolve("mosquitto.conf").toString(), "-v");
        await(() -> {
            try (Socket probe = new Socket(InetAddress.getLoopbackAddress(), port)) {
                return probe.isConnected();
            }
        });
        return port;
    }

    private void start(String program, String... arguments) throws IOException {
        Optional<Path> found = List.of((System.getenv("PATH") + ":/usr/sbin").split(":")).stream()
                .map(at -> Path.of(at, program))
                .filter(Files::isExecutable)
                .findFirst();
        if (found.isEmpty()) {
            String line = "SKIPPED: " + program + " is not installed";
            System.out.println(line);
            if ("true".equals(System.getenv("CI"))) {
                fail(line);
            }
            abort(line);
        }
        List<String> command = new ArrayList<>(List.of(found.orElseThrow().toString()));
        command.addAll(List.of(arguments));
        processes.add(new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve(program + ".log").toFile())
                .start());
    }

    private String log() throws IOException {
        return Files.readString(dir.resolve("mosquitto.log"));
    }

    private void await(Callable<Boolean> condition) throws Exception {
        long limit = System.nanoTime() + LIMIT.toNanos();
        while (!holds(condition)) {
            if (System.nanoTime() > limit) {
                Path log = dir.resolve("mosquitto.log");
                fail("not in " + LIMIT + "; broker: " + (Files.exists(log) ? Files.readString(log) : "none"));
            }
            LockSupport.parkNanos(10_000_000);
        }
    }

    private static boolean holds(Callable<Boolean> condition) throws Exception {
        try {
            return condition.call();
        } catch (IOException e) {
            return false; // Not listening yet.
        }
    }

    private byte[] certificate(String subject, PublicKey key, boolean isAuthority) throws Exception {
        X509v3CertificateBuilder builder = new X509v3CertificateBuilder(
                new X500Name("CN=authority"),
                BigInteger.valueOf(System.nanoTime()),
                Date.from(Instant.now().minusSeconds(60)),
                Date.from(Instant.now().plusSeconds(3600)),
                new X500Name(subject),
                SubjectPublicKeyInfo.getInstance(key.getEncoded()));
        builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(isAuthority));
        builder.addExtension(
                Extension.subjectAlternativeName,
                false,
                new GeneralNames(new GeneralName(GeneralName.dNSName, "localhost")));
        return builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(authority.getPrivate()))
                .getEncoded();
    }

    private static void pem(Path file, byte[] der) throws IOException {
        Path fresh = file.resolveSibling(file.getFileName() + ".new");
        Files.writeString(
                fresh,
                "-----BEGIN CERTIFICATE-----\n"
                        + Base64.getMimeEncoder().encodeToString(der)
                        + "\n-----END CERTIFICATE-----\n");
        Files.move(fresh, file, java.nio.file.StandardCopyOption.ATOMIC_MOVE);
    }
}
