package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.CompositeBridge;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeDescription;
import dev.holdfast.tee.pkcs11.Pkcs11Bridge;
import dev.holdfast.tee.pkcs11.Pkcs11Uri;
import dev.holdfast.tee.software.SoftwareBridge;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The attack table with the device's key in a token of SoftHSM2 and all else in files. The module keeps a list of the
 * tokens that there were when it was loaded, so all tests share one, as a device's restarts do.
 */
class TokenEvidenceTest extends EvidenceContract {
    private static final Path MODULE = Path.of("/usr/lib/softhsm/libsofthsm2.so");

    @BeforeAll
    static void token() throws Exception {
        if (!Files.exists(MODULE)) {
            String line = "SKIPPED: " + MODULE + " is not installed (apt install softhsm2)";
            System.out.println(line);
            if ("true".equals(System.getenv("CI"))) {
                fail(line);
            }
            abort(line);
        }
        Path configuration = Path.of(System.getenv("SOFTHSM2_CONF"));
        Path store = Files.createTempDirectory(configuration.getParent(), "softhsm2-");
        Files.writeString(configuration, "directories.tokendir = " + store + "\nobjectstore.backend = file\n");
        Process tool = new ProcessBuilder(
                        "softhsm2-util",
                        "--init-token",
                        "--free",
                        "--label",
                        "evidence",
                        "--so-pin",
                        "so-pin",
                        "--pin",
                        "test-pin")
                .redirectErrorStream(true)
                .start();
        String said = new String(tool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(tool.waitFor()).as(said).isZero();
    }

    @Override
    TeeBridge openBridge() throws Exception {
        return split(SoftwareBridge.open(temp.resolve("tee")));
    }

    @Override
    TeeBridge reboot() throws Exception {
        return split(SoftwareBridge.open(temp.resolve("tee"), "the next boot"));
    }

    private TeeBridge split(SoftwareBridge files) throws Exception {
        return new CompositeBridge(Pkcs11Bridge.open(uri()), files);
    }

    private Pkcs11Uri uri() throws IOException {
        Path pin = Files.writeString(temp.resolve("pin"), "test-pin");
        Files.setPosixFilePermissions(pin, PosixFilePermissions.fromString("rw-------"));
        return Models.accepted(
                Pkcs11Uri.parse("pkcs11:token=evidence?module-path=" + MODULE + "&pin-source=file:" + pin));
    }

    @Override
    Assurance assurance() {
        return Assurance.SOFTWARE;
    }

    @Test
    void theKeyIsTheTokensAndTheWholeIsSoftware() throws Exception {
        assertThat(bridge.describe().kind()).isEqualTo(TeeDescription.Kind.PKCS11);
        assertThat(bridge.describe().assurance()).isEqualTo(Assurance.SOFTWARE);
        bridge.close();
        try (Pkcs11Bridge token = Pkcs11Bridge.open(uri())) {
            assertThat(P256.encode(token.signer().orElseThrow().publicKey())).isEqualTo(P256.encode(device.signer()));
        }
    }

    @Test
    void measuresItsOwnSpeed() throws Exception {
        Speed.report("token with files", attester, this::appraise);
    }
}
