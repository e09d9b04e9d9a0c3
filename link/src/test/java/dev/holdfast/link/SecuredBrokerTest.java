package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.link.BrokerAccess.ClientKey;
import dev.holdfast.link.BrokerAccess.Login;
import dev.holdfast.testkit.Mosquitto;
import dev.holdfast.testkit.TestAuthority;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.bouncycastle.asn1.sec.ECPrivateKey;
import org.bouncycastle.asn1.sec.SECObjectIdentifiers;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.jcajce.JcaMiscPEMGenerator;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.openssl.jcajce.JceOpenSSLPKCS8EncryptorBuilder;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemObjectGenerator;
import org.bouncycastle.util.io.pem.PemWriter;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real broker with TLS, passwords and client certificates: who gets in, and what a person is told who does not. */
class SecuredBrokerTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int BY_PASSWORD = 0;
    private static final int BY_CERTIFICATE = 1;
    private static final int EXPIRED = 2;
    private static final int OTHER_NAME = 3;
    private static final String PASSWORD = "correct horse";

    @TempDir
    static Path shared;

    @TempDir
    Path dir;

    private static final TestAuthority AUTHORITY = new TestAuthority("authority");
    private static final TestAuthority SUCCESSOR = new TestAuthority("successor");
    private static Optional<Mosquitto> running = Optional.empty();

    @BeforeAll
    static void start() throws Exception {
        assumeTrue(Mosquitto.isInstalled(), "needs mosquitto");
        Files.writeString(shared.resolve("ca.crt"), AUTHORITY.pem());
        Path passwords = shared.resolve("passwords");
        assertThat(new ProcessBuilder("mosquitto_passwd", "-b", "-c", passwords.toString(), "cam", PASSWORD)
                        .inheritIO()
                        .start()
                        .waitFor())
                .isZero();
        KeyPair server = TestAuthority.elliptic();
        running = Optional.of(Mosquitto.start(
                shared,
                List.of(
                        secured("good", server, AUTHORITY.certificate("broker", server.getPublic(), "localhost"))
                                + "password_file " + passwords + "\nallow_anonymous false\n",
                        secured("mutual", server, AUTHORITY.certificate("broker", server.getPublic(), "localhost"))
                                + "require_certificate true\nuse_identity_as_username true\n",
                        secured("expired", server, AUTHORITY.expired("broker", server.getPublic(), "localhost"))
                                + "allow_anonymous true\n",
                        secured("other", server, AUTHORITY.certificate("broker", server.getPublic(), "elsewhere"))
                                + "allow_anonymous true\n")));
    }

    private static String secured(String name, KeyPair server, String certificate) throws IOException {
        Path crt = Files.writeString(shared.resolve(name + ".crt"), certificate);
        Path key = TestAuthority.secret(shared.resolve(name + ".key"), TestAuthority.pem(server));
        return "cafile %s%ncertfile %s%nkeyfile %s%n".formatted(shared.resolve("ca.crt"), crt, key);
    }

    @AfterAll
    static void stop() {
        running.ifPresent(Mosquitto::close);
    }

    @Test
    void aPasswordThatIsCorrectedInItsFileLetsTheClientInWithoutARestart() throws Exception {
        Path password = TestAuthority.secret(dir.resolve("password"), "wrong-one\n");
        BrokerAccess access =
                new BrokerAccess(Optional.of(new Login("cam", Optional.of(password))), Optional.empty(), authorities());
        try (ReconnectingLink link = open(BY_PASSWORD, access)) {
            Rejection why = refusal(link);
            assertThat(why.code()).isEqualTo(Code.LNK_LOGIN);
            assertThat(why.detail()).doesNotContain("wrong-one");
            assertThat(access.toString()).doesNotContain("wrong-one");
            TestAuthority.secret(password, PASSWORD + "\nand a second line, which is none of it\n");
            until(link::connected);
        }
        assertThat(broker().log()).contains("u'cam'");
    }

    @Test
    void aUserWithoutAPasswordIsToldOfTheLogin() throws Exception {
        BrokerAccess access =
                new BrokerAccess(Optional.of(new Login("cam", Optional.empty())), Optional.empty(), authorities());
        try (ReconnectingLink link = open(BY_PASSWORD, access)) {
            assertThat(refusal(link).code()).isEqualTo(Code.LNK_LOGIN);
        }
    }

    /** In each form in which tools write a key. */
    @Test
    void theBrokerKnowsAClientByItsKeyInAFile() throws Exception {
        KeyPair elliptic = TestAuthority.elliptic();
        KeyPairGenerator rsa = KeyPairGenerator.getInstance("RSA");
        rsa.initialize(2048);
        KeyPair old = rsa.generateKeyPair();
        String[] keys = {
            TestAuthority.pem(elliptic),
            written(new PemObject("EC PRIVATE KEY", sec1(elliptic))),
            TestAuthority.pem(old),
            written(new JcaMiscPEMGenerator(old.getPrivate()))
        };
        assertThat(keys[1]).contains("BEGIN EC PRIVATE KEY");
        assertThat(keys[3]).contains("BEGIN RSA PRIVATE KEY");
        for (int i = 0; i < keys.length; i++) {
            KeyPair pair = i < 2 ? elliptic : old;
            String name = "device-" + i;
            Path certificate = Files.writeString(dir.resolve("crt"), AUTHORITY.certificate(name, pair.getPublic(), ""));
            Path key = TestAuthority.secret(dir.resolve("key"), keys[i]);
            try (ReconnectingLink link = open(BY_CERTIFICATE, shown(certificate, key))) {
                until(link::connected);
            }
            assertThat(broker().log()).contains("u'" + name + "'");
        }
    }

    @Test
    void aCertificateThatIsRenewedInItsFileCountsFromTheNextAttemptOn() throws Exception {
        KeyPair pair = TestAuthority.elliptic();
        Path certificate = Files.writeString(dir.resolve("crt"), AUTHORITY.expired("cam", pair.getPublic(), ""));
        Path key = TestAuthority.secret(dir.resolve("key"), TestAuthority.pem(pair));
        try (ReconnectingLink link = open(BY_CERTIFICATE, shown(certificate, key))) {
            Rejection why = refusal(link);
            assertThat(why.code()).isEqualTo(Code.LNK_EXPIRED);
            assertThat(why.detail()).contains(certificate.toString()).contains("until");
            TestAuthority.secret(certificate, AUTHORITY.certificate("cam", pair.getPublic(), ""));
            until(link::connected);
        }
    }

    /** First the devices get the new authority beside the old one, then the broker its new certificate. */
    @Test
    void aRollOverOfTheAuthorityLosesNobodyWhoHasBoth() throws Exception {
        KeyPair server = TestAuthority.elliptic();
        Path crt = dir.resolve("server.crt");
        Path key = TestAuthority.secret(dir.resolve("server.key"), TestAuthority.pem(server));
        String listener = "certfile %s%nkeyfile %s%nallow_anonymous true%n".formatted(crt, key);
        Path old = Files.writeString(dir.resolve("old.crt"), AUTHORITY.pem());
        Path bundle = Files.writeString(dir.resolve("both.crt"), "# two\n" + AUTHORITY.pem() + SUCCESSOR.pem());
        Path fresh = Files.writeString(dir.resolve("new.crt"), SUCCESSOR.pem());

        Files.writeString(crt, AUTHORITY.certificate("broker", server.getPublic(), "localhost"));
        int port;
        try (Mosquitto before = Mosquitto.start(dir, List.of(listener))) {
            port = before.port(0);
            try (ReconnectingLink link = open(port, trusting(bundle))) {
                until(link::connected);
            }
        }
        Files.writeString(crt, SUCCESSOR.certificate("broker", server.getPublic(), "localhost"));
        try (Mosquitto after = Mosquitto.start(dir, List.of(listener), List.of(port));
                ReconnectingLink inOneFile = open(port, trusting(bundle));
                ReconnectingLink inTwoFiles = open(port, trusting(old, fresh));
                ReconnectingLink behind = open(port, trusting(old))) {
            until(inOneFile::connected);
            until(inTwoFiles::connected);
            assertThat(refusal(behind).code()).isEqualTo(Code.LNK_UNTRUSTED);
            TestAuthority.secret(old, AUTHORITY.pem() + SUCCESSOR.pem());
            until(behind::connected);
            assertThat(after.port(0)).isEqualTo(port);
        }
    }

    @Test
    void eachFaultOfABrokersCertificateHasItsCode() throws Exception {
        try (ReconnectingLink byAStranger = open(EXPIRED, trusting(list("new", SUCCESSOR)));
                ReconnectingLink byNobody = open(OTHER_NAME, BrokerAccess.ANONYMOUS);
                ReconnectingLink expired = open(EXPIRED, trusting(list("ca", AUTHORITY)));
                ReconnectingLink otherName = open(OTHER_NAME, trusting(list("ca", AUTHORITY)))) {
            assertThat(refusal(byAStranger).code()).isEqualTo(Code.LNK_UNTRUSTED);
            assertThat(refusal(byNobody).code()).isEqualTo(Code.LNK_UNTRUSTED);
            assertThat(refusal(expired).code()).isEqualTo(Code.LNK_EXPIRED);
            assertThat(refusal(otherName).code()).isEqualTo(Code.LNK_HOST);
            assertThat(refusal(otherName).detail()).contains("localhost");
        }
    }

    @Test
    void aClientWithoutACertificateIsRefusedInTheHandshake() throws Exception {
        try (ReconnectingLink link = open(BY_CERTIFICATE, trusting(shared.resolve("ca.crt")))) {
            assertThat(refusal(link).code()).isEqualTo(Code.LNK_TLS);
        }
    }

    @Test
    void aFileThatCannotBeUsedIsNamedWithWhatIsWrong() throws Exception {
        KeyPair pair = TestAuthority.elliptic();
        Path crt = Files.writeString(dir.resolve("crt"), AUTHORITY.certificate("cam", pair.getPublic(), ""));
        Path key = TestAuthority.secret(dir.resolve("key"), TestAuthority.pem(pair));

        Files.setPosixFilePermissions(key, PosixFilePermissions.fromString("rw-r--r--"));
        assertUnusable(shown(crt, key), key, "chmod");
        Files.setPosixFilePermissions(key, PosixFilePermissions.fromString("rw-rw----"));
        assertUnusable(shown(crt, key), key, "chmod");
        // The service's group may read what root wrote.
        Files.setPosixFilePermissions(key, PosixFilePermissions.fromString("rw-r-----"));
        try (ReconnectingLink link = open(BY_CERTIFICATE, shown(crt, key))) {
            until(link::connected);
        }
        assertUnusable(shown(crt, dir.resolve("absent")), dir.resolve("absent"), "no such file");
        assertUnusable(shown(dir.resolve("absent"), key), dir.resolve("absent"), "no such file");
        assertUnusable(shown(key, key), key, "no certificate");
        assertUnusable(
                shown(crt, TestAuthority.secret(dir.resolve("other"), TestAuthority.pem(TestAuthority.elliptic()))),
                dir.resolve("other"),
                "not the key of the certificate");
        String encrypted = written(new JcaPKCS8Generator(
                pair.getPrivate(),
                new JceOpenSSLPKCS8EncryptorBuilder(JcaPKCS8Generator.AES_256_CBC)
                        .setProvider(new BouncyCastleProvider())
                        .setPassword("secret".toCharArray())
                        .build()));
        assertUnusable(
                shown(crt, TestAuthority.secret(dir.resolve("locked"), encrypted)), dir.resolve("locked"), "encrypted");
        assertUnusable(
                shown(crt, TestAuthority.secret(dir.resolve("torn"), "-----BEGIN PRIVATE KEY-----\nAAAA")),
                dir.resolve("torn"),
                "PEM");
        assertUnusable(
                shown(crt, TestAuthority.secret(dir.resolve("long"), "x".repeat(1 << 20))),
                dir.resolve("long"),
                "longer");
        assertUnusable(trusting(Files.writeString(dir.resolve("none"), "")), dir.resolve("none"), "no certificate");
        assertUnusable(
                new BrokerAccess(
                        Optional.of(new Login("cam", Optional.of(TestAuthority.secret(dir.resolve("empty"), "\n")))),
                        Optional.empty(),
                        authorities()),
                dir.resolve("empty"),
                "first line");
    }

    private static void assertUnusable(BrokerAccess access, Path file, String what) throws Exception {
        try (ReconnectingLink link = open(BY_CERTIFICATE, access)) {
            Rejection why = refusal(link);
            assertThat(why.code()).as(why.detail()).isEqualTo(Code.LNK_FILE);
            assertThat(why.detail()).startsWith(file + ": ").contains(what);
        }
    }

    private static BrokerAccess shown(Path certificate, Path key) {
        return new BrokerAccess(Optional.empty(), Optional.of(new ClientKey.Files(certificate, key)), authorities());
    }

    private static BrokerAccess trusting(Path... authorities) {
        return new BrokerAccess(Optional.empty(), Optional.empty(), List.of(authorities));
    }

    private static List<Path> authorities() {
        return List.of(shared.resolve("ca.crt"));
    }

    private Path list(String name, TestAuthority of) throws IOException {
        return Files.writeString(dir.resolve(name + ".pem"), of.pem());
    }

    /** As OpenSSL writes it, with the curve: RFC 5915. */
    private static byte[] sec1(KeyPair pair) throws IOException {
        return new ECPrivateKey(
                        256,
                        ((java.security.interfaces.ECPrivateKey) pair.getPrivate()).getS(),
                        null,
                        SECObjectIdentifiers.secp256r1)
                .getEncoded();
    }

    private static String written(PemObjectGenerator object) throws IOException {
        StringWriter text = new StringWriter();
        try (PemWriter pem = new PemWriter(text)) {
            pem.writeObject(object);
        }
        return text.toString();
    }

    private static Mosquitto broker() {
        return running.orElseThrow();
    }

    /** @param where a listener's number, or a port */
    private static ReconnectingLink open(int where, BrokerAccess access) {
        int port = where <= OTHER_NAME ? broker().port(where) : where;
        return ReconnectingLink.open(
                LinkConfig.of("mqtts://localhost:" + port, ClientId.fresh("demo", "cam"), List.of())
                        .with(access)
                        .withPace(Duration.ofSeconds(10), Duration.ofMillis(20), Duration.ofMillis(100)),
                message -> {});
    }

    private static Rejection refusal(ReconnectingLink link) throws Exception {
        until(() -> link.status().lost().isPresent());
        assertThat(link.connected()).isFalse();
        return link.status().lost().orElseThrow();
    }

    private static void until(Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (!condition.call()) {
            assertThat(System.nanoTime()).as("in time").isLessThan(end);
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }
}
