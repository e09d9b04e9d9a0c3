package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.holdfast.link.BrokerAccess;
import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.ReconnectingLink;
import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.DeviceTls;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import io.vertx.core.Vertx;
import io.vertx.core.http.ClientAuth;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.net.KeyCertOptions;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.core.net.TrustOptions;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyStore;
import java.security.PublicKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509KeyManager;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;
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
            LinkConfig config = LinkConfig.of("ssl://localhost:" + port, "device-1", List.of())
                    .with(new BrokerAccess(
                            Optional.empty(),
                            Optional.of((BrokerAccess.ClientKey.Held) () -> DeviceTls.keys(signer, certificate)),
                            List.of(dir.resolve("ca.crt"))));
            try (ReconnectingLink link = ReconnectingLink.open(config, message -> {})) {
                // Not enrolled yet: the broker refuses, again and again.
                await(() -> log().contains("peer did not return a certificate"));
                assertThat(link.connected()).isFalse();
                pem(certificate, certificate("CN=device-1", signer.publicKey(), false));
                await(link::connected);
            }
            assertThat(log()).contains("u'device-1'");
            SSLContext tls = SSLContext.getInstance(protocol);
            tls.init(new KeyManager[] {DeviceTls.keys(signer, certificate)}, trust(), null);
            try (var socket = (javax.net.ssl.SSLSocket) tls.getSocketFactory().createSocket("localhost", port)) {
                socket.startHandshake();
                assertThat(socket.getSession().getProtocol()).isEqualTo(protocol);
                assertThat(socket.getSession().getLocalCertificates()).hasSize(1);
            }
        }
    }

    /** The same key manager behind Vert.x, on both sides of which the JDK's engine speaks. */
    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.2", "TLSv1.3"})
    void aVertxServerKnowsTheDeviceByItsKeyInTheTpm(String protocol) throws Exception {
        KeyPair server = P256.generate();
        byte[] anchor = certificate("CN=authority", authority.getPublic(), true);
        pem(dir.resolve("ca.crt"), anchor);
        Path certificate = dir.resolve("tls.crt");
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("server", server.getPrivate(), new char[0], new Certificate[] {
            parsed(certificate("CN=localhost", server.getPublic(), false))
        });
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, new char[0]);
        TrustOptions trust =
                new PemTrustOptions().addCertPath(dir.resolve("ca.crt").toString());
        Vertx vertx = Vertx.vertx();
        try (Swtpm swtpm = Swtpm.start(dir.resolve("tpm"));
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            HttpServer http = vertx.createHttpServer(new HttpServerOptions()
                            .setSsl(true)
                            .setClientAuth(ClientAuth.REQUIRED)
                            .setEnabledSecureTransportProtocols(Set.of(protocol))
                            .setTrustOptions(trust)
                            .setKeyCertOptions(KeyCertOptions.wrap((X509KeyManager) keys.getKeyManagers()[0])))
                    .requestHandler(request -> request.response().end(peer(request)))
                    .listen(0, "localhost")
                    .await(10, TimeUnit.SECONDS);
            DeviceSigner signer = bridge.signer().orElseThrow();
            HttpClient client = vertx.createHttpClient(new HttpClientOptions()
                    .setSsl(true)
                    .setEnabledSecureTransportProtocols(Set.of(protocol))
                    .setTrustOptions(trust)
                    .setKeyCertOptions(KeyCertOptions.wrap(DeviceTls.keys(signer, certificate))));
            // Not enrolled yet. By version the refusal comes bare or in the codec's exception.
            assertThatThrownBy(() -> get(client, http.actualPort()))
                    .satisfiesAnyOf(
                            e -> assertThat(e).isInstanceOf(SSLException.class),
                            e -> assertThat(e).hasRootCauseInstanceOf(SSLException.class));
            pem(certificate, certificate("CN=device-1", signer.publicKey(), false));
            assertThat(get(client, http.actualPort())).isEqualTo("CN=device-1 by " + protocol);
        } finally {
            vertx.close().await(10, TimeUnit.SECONDS);
        }
    }

    private TrustManager[] trust() throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setCertificateEntry("authority", parsed(certificate("CN=authority", authority.getPublic(), true)));
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }

    private static String peer(HttpServerRequest request) {
        try {
            return ((X509Certificate) request.sslSession().getPeerCertificates()[0])
                            .getSubjectX500Principal()
                            .getName()
                    + " by " + request.sslSession().getProtocol();
        } catch (SSLPeerUnverifiedException e) {
            return "nobody";
        }
    }

    private static String get(HttpClient client, int port) throws Exception {
        return client.request(HttpMethod.GET, port, "localhost", "/")
                .compose(HttpClientRequest::send)
                .compose(HttpClientResponse::body)
                .await(10, TimeUnit.SECONDS)
                .toString();
    }

    private static X509Certificate parsed(byte[] der) throws Exception {
        return (X509Certificate)
                CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
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
        List<String> command = new ArrayList<>(List.of(program(program).toString()));
        command.addAll(List.of(arguments));
        processes.add(new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve(program + ".log").toFile())
                .start());
    }

    /** Where a program is; the test is aborted where it is not installed, and fails in CI. */
    static Path program(String program) {
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
        return found.orElseThrow();
    }

    private String log() throws IOException {
        return Files.readString(dir.resolve("mosquitto.log"));
    }

    private void await(Callable<Boolean> condition) throws Exception {
        try {
            Awaitility.await().atMost(LIMIT).pollInterval(Duration.ofMillis(10)).until(() -> holds(condition));
        } catch (ConditionTimeoutException e) {
            Path log = dir.resolve("mosquitto.log");
            fail("not in " + LIMIT + "; broker: " + (Files.exists(log) ? Files.readString(log) : "none"));
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
