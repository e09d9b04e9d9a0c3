package dev.holdfast.tee.pkcs11;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.BridgeContract;
import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.TeeDescription;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeKeyProvider;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.AuthProvider;
import java.security.KeyPair;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.Security;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A token of SoftHSM2 in this process, through the same module that a daemon would load. */
class Pkcs11BridgeTest {
    private static final Sha256 DIGEST = BridgeContract.DIGEST;

    @TempDir
    Path dir;

    private Path pin;

    @BeforeAll
    static void tokens() throws Exception {
        SoftHsm.begin("device", "wrong-pin", "readable", "pulled-out", "twins", "twins");
    }

    @BeforeEach
    void pin() throws Exception {
        pin = SoftHsm.pinFile(dir, SoftHsm.PIN);
    }

    private Pkcs11Bridge open(String token) throws TeeException {
        return Pkcs11Bridge.open(SoftHsm.uri(token, pin));
    }

    private void assertFails(Pkcs11Uri uri, Code code) {
        assertThatThrownBy(() -> Pkcs11Bridge.open(uri).close())
                .isInstanceOfSatisfying(
                        TeeException.class,
                        e -> assertThat(e.code()).as(e.getMessage()).isEqualTo(code));
    }

    @Test
    void signsWithAKeyThatOutlivesTheSession() throws Exception {
        ECPublicKey key;
        try (Pkcs11Bridge bridge = open("device")) {
            DeviceSigner signer = bridge.signer().orElseThrow();
            key = signer.publicKey();
            assertThat(P256.verify(key, DIGEST, signer.sign(DIGEST))).isTrue();
            assertThat(P256.verify(key, Sha256.of(new byte[1]), signer.sign(DIGEST)))
                    .isFalse();
        }
        try (Pkcs11Bridge bridge = open("device")) {
            DeviceSigner signer = bridge.signer().orElseThrow();
            assertThat(P256.encode(signer.publicKey())).isEqualTo(P256.encode(key));
            assertThat(P256.verify(key, DIGEST, signer.sign(DIGEST))).isTrue();
        }
    }

    @Test
    void theKeyIsMadeSoThatItCannotBeRead() throws Exception {
        open("device").close();
        String objects = SoftHsm.dump();
        String key = objects.substring(objects.indexOf("CKO_PRIVATE_KEY"));
        assertThat(attribute(key, "CKA_SENSITIVE")).isEqualTo("true");
        assertThat(attribute(key, "CKA_EXTRACTABLE")).isEqualTo("false");
        assertThat(attribute(key, "CKA_NEVER_EXTRACTABLE")).isEqualTo("true");
        assertThat(attribute(key, "CKA_TOKEN")).isEqualTo("true");
    }

    /** The tool prints the name, a line with the attribute's type, and one with its value. */
    private static String attribute(String dump, String name) {
        String rest = dump.substring(dump.indexOf(name));
        return rest.lines().skip(1).limit(2).anyMatch(line -> line.contains("TRUE")) ? "true" : "false";
    }

    @Test
    void refusesAKeyThatCanBeReadOut() throws Exception {
        KeyPair pair = P256.generate();
        Provider importing = Security.getProvider("SunPKCS11").configure("""
                --name = Importing
                library = %s
                slot = %d
                attributes(import, CKO_PRIVATE_KEY, *) = {
                  CKA_EXTRACTABLE = true
                  CKA_SENSITIVE = false
                }
                """.formatted(
                SoftHsm.MODULE, Pkcs11Slots.find(SoftHsm.MODULE, "readable").id()));
        KeyStore token = KeyStore.getInstance("PKCS11", importing);
        token.load(null, SoftHsm.PIN.toCharArray());
        token.setKeyEntry(
                "holdfast", pair.getPrivate(), null, new java.security.cert.Certificate[] {Certificates.selfSigned(pair)
                });
        ((AuthProvider) importing).logout();
        assertFails(SoftHsm.uri("readable", pin), Code.TEE_REFUSED);
    }

    @Test
    void checksAnchorsInTheTokenAsTheJdkDoes() throws Exception {
        try (Pkcs11Bridge bridge = open("device")) {
            AnchorVerifier verifier = bridge.anchorVerifier().orElseThrow();
            KeyPair anchor = P256.generate();
            ECPublicKey key = (ECPublicKey) anchor.getPublic();
            byte[] signature = P256.sign(anchor.getPrivate(), DIGEST);
            assertThat(verifier.verify(key, DIGEST, signature)).isTrue();
            assertThat(verifier.verify(key, Sha256.of(new byte[0]), signature)).isFalse();
            assertThat(verifier.verify((ECPublicKey) P256.generate().getPublic(), DIGEST, signature))
                    .isFalse();
            assertThat(verifier.verify(key, DIGEST, new byte[64])).isFalse();
            assertThat(verifier.verify(key, DIGEST, new byte[3])).isFalse();
            for (int bit = 0; bit < 512; bit += 37) {
                byte[] bent = signature.clone();
                bent[bit / 8] ^= (byte) (1 << bit % 8);
                assertThat(verifier.verify(key, DIGEST, bent)).isEqualTo(P256.verify(key, DIGEST, bent));
            }
            assertThat(verifier.verify(key, DIGEST, signature)).isTrue();
        }
    }

    @Test
    void whatATokenCannotDoIsAbsent() throws Exception {
        try (Pkcs11Bridge bridge = open("device")) {
            assertThat(bridge.register()).isEmpty();
            assertThat(bridge.quoter()).isEmpty();
            assertThat(bridge.stateCounter()).isEmpty();
            assertThat(bridge.anchorStore()).isEmpty();
            assertThat(bridge.sealer()).isEmpty();
            assertThat(bridge.enroller()).isEmpty();
        }
    }

    @Test
    void softHsmIsSoftwareWhateverIsVouchedFor() throws Exception {
        Pkcs11Uri plain = SoftHsm.uri("device", pin);
        Pkcs11Uri vouched = new Pkcs11Uri(
                plain.module(),
                plain.token(),
                plain.object(),
                pin,
                Assurance.HARDWARE,
                Optional.of(Sha256.ofFile(SoftHsm.MODULE)));
        try (Pkcs11Bridge bridge = Pkcs11Bridge.open(vouched)) {
            System.out.println(bridge.describe());
            assertThat(bridge.describe().kind()).isEqualTo(TeeDescription.Kind.PKCS11);
            assertThat(bridge.describe().assurance()).isEqualTo(Assurance.SOFTWARE);
        }
    }

    @Test
    void refusesAModuleThatIsNotThePinnedOne() throws Exception {
        Pkcs11Uri plain = SoftHsm.uri("device", pin);
        assertFails(
                new Pkcs11Uri(
                        plain.module(), plain.token(), plain.object(), pin, Assurance.FIRMWARE, Optional.of(DIGEST)),
                Code.TEE_REFUSED);
    }

    @Test
    void aWrongPinIsTold() throws Exception {
        assertFails(SoftHsm.uri("wrong-pin", SoftHsm.pinFile(dir, "not-the-pin")), Code.TEE_PIN);
        SoftHsm.pinFile(dir, SoftHsm.PIN);
        open("wrong-pin").close();
    }

    @Test
    void aPinFileThatOthersReadIsRefused() throws Exception {
        Files.setPosixFilePermissions(pin, PosixFilePermissions.fromString("rw-r-----"));
        assertFails(SoftHsm.uri("device", pin), Code.TEE_PIN);
        assertFails(SoftHsm.uri("device", dir.resolve("absent")), Code.TEE_PIN);
        assertFails(SoftHsm.uri("device", SoftHsm.pinFile(dir, "")), Code.TEE_PIN);
    }

    @Test
    void anAbsentModuleOrTokenIsTold() throws Exception {
        Pkcs11Uri plain = SoftHsm.uri("device", pin);
        assertFails(SoftHsm.uri("nobody", pin), Code.TEE_UNAVAILABLE);
        assertFails(SoftHsm.uri("twins", pin), Code.TEE_REFUSED);
        for (Path module : new Path[] {dir.resolve("absent.so"), libc()}) {
            assertFails(
                    new Pkcs11Uri(module, plain.token(), plain.object(), pin, Assurance.SOFTWARE, Optional.empty()),
                    Code.TEE_UNAVAILABLE);
        }
    }

    /** A library that can be loaded and is not a PKCS #11 module. */
    private static Path libc() throws Exception {
        return Path.of(Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(line -> line.contains("libc.so"))
                .findFirst()
                .orElseThrow()
                .replaceFirst("^[^/]*", ""));
    }

    @Test
    void aTokenThatIsPulledOutIsTold() throws Exception {
        try (Pkcs11Bridge bridge = open("pulled-out")) {
            DeviceSigner signer = bridge.signer().orElseThrow();
            signer.sign(DIGEST);
            SoftHsm.delete(directoryOf("pulled-out"));
            for (int again = 0; again < 2; again++) {
                assertThatThrownBy(() -> signer.sign(DIGEST))
                        .isInstanceOfSatisfying(
                                TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_UNAVAILABLE));
            }
        }
    }

    @Test
    void aSessionThatIsLostIsOpenedAgain() throws Exception {
        try (Pkcs11Bridge bridge = open("device")) {
            DeviceSigner signer = bridge.signer().orElseThrow();
            signer.sign(DIGEST);
            // PKCS #11 2.40, 5.6 (C_Logout): the token forgets the login of all sessions of this process.
            Provider other = Security.getProvider("SunPKCS11")
                    .configure("--name = Other\nlibrary = %s\nslot = %d\n"
                            .formatted(
                                    SoftHsm.MODULE,
                                    Pkcs11Slots.find(SoftHsm.MODULE, "device").id()));
            KeyStore.getInstance("PKCS11", other).load(null, SoftHsm.PIN.toCharArray());
            ((AuthProvider) other).logout();
            assertThatThrownBy(() -> signer.sign(DIGEST))
                    .isInstanceOfSatisfying(
                            TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_UNAVAILABLE));
            assertThat(P256.verify(signer.publicKey(), DIGEST, signer.sign(DIGEST)))
                    .isTrue();
        }
    }

    private static Path directoryOf(String label) throws Exception {
        String serial = Pkcs11Slots.find(SoftHsm.MODULE, label).serial();
        try (var tokens = Files.list(SoftHsm.store())) {
            // SoftHSM2 takes the serial number from the end of the directory's name.
            return tokens.filter(path -> path.toString().replace("-", "").endsWith(serial))
                    .findFirst()
                    .orElseThrow();
        }
    }

    @Test
    void refusesAfterClose() throws Exception {
        Pkcs11Bridge bridge = open("device");
        bridge.close();
        assertThatThrownBy(() -> bridge.signer().orElseThrow().sign(DIGEST))
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_UNAVAILABLE));
    }

    @Test
    void jcaSignsWithTheKeyInTheTokenAsTlsDoes() throws Exception {
        try (Pkcs11Bridge bridge = open("device")) {
            DeviceSigner signer = bridge.signer().orElseThrow();
            PrivateKey key = TeeKeyProvider.keyOf(signer);
            Signature signing = Signature.getInstance("SHA256withECDSA");
            signing.initSign(key);
            byte[] text = "a handshake".getBytes(StandardCharsets.UTF_8);
            signing.update(text);
            byte[] signature = signing.sign();
            Signature verifying = Signature.getInstance("SHA256withECDSA");
            verifying.initVerify(signer.publicKey());
            verifying.update(text);
            assertThat(verifying.verify(signature)).isTrue();
        }
    }
}
