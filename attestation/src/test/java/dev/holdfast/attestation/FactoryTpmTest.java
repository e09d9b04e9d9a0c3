package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.tee.tpm.TpmKeyArea;
import dev.holdfast.tee.tpm.TpmRsaPublic;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A TPM as it leaves its maker, here swtpm_setup: the certificate of its RSA endorsement key is in NV 0x01c00002. */
class FactoryTpmTest {
    @TempDir
    Path temp;

    private void manufacture() throws Exception {
        Swtpm.require("swtpm_setup");
        Path state = Files.createDirectories(temp.resolve("state"));
        Path ca = Files.createDirectories(temp.resolve("ca"));
        Path authority = Files.writeString(
                temp.resolve("localca.conf"),
                "statedir = %1$s%nsigningkey = %1$s/signkey.pem%nissuercert = %1$s/issuercert.pem%ncertserial = %1$s/serial%n"
                        .formatted(ca));
        Path options = Files.writeString(temp.resolve("localca.options"), "");
        Path setup = Files.writeString(
                temp.resolve("setup.conf"),
                "create_certs_tool = swtpm_localca%ncreate_certs_tool_config = %s%ncreate_certs_tool_options = %s%n"
                        .formatted(authority, options));
        Path log = temp.resolve("setup.log");
        int status = Swtpm.run(
                log,
                "swtpm_setup",
                "--tpm2",
                "--tpmstate",
                state.toString(),
                "--create-ek-cert",
                "--config",
                setup.toString());
        assertThat(status).as(Files.readString(log)).isZero();
    }

    private EnrolmentPolicy policy(String json) throws Exception {
        return Models.accepted(EnrolmentPolicy.read(Files.writeString(temp.resolve("enrolment.json"), json)));
    }

    @Test
    void enrolsByTheCertificateOfItsRsaKey() throws Exception {
        manufacture();
        EnrolmentPolicy pinned = policy("""
                {"format":1, "others":"refuse", "intermediates":["ca/issuercert.pem"],
                 "roots":[{"certificate":"ca/swtpm-localca-rootca-cert.pem", "grants":"emulated"}]}
                """);
        try (Swtpm swtpm = Swtpm.start(temp);
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
            TpmKeyArea endorsement = TpmKeyArea.parse(
                            bridge.enroller().orElseThrow().endorsementPublic())
                    .orThrow();
            assertThat(endorsement).isInstanceOf(TpmRsaPublic.class);
            EnrolmentAuthority.Attempt attempt =
                    Models.accepted(EnrolmentAuthority.begin(mine.request(), pinned, Clock.systemUTC()));
            EnrolledDevice device = Models.accepted(attempt.complete(Models.accepted(mine.prove(attempt.challenge()))));
            assertThat(device.assurance()).isEqualTo(Assurance.EMULATED);
            assertThat(device.endorsement())
                    .isEqualTo(Sha256.of(endorsement.encoded().toArray()));
        }
    }

    @Test
    void nobodyVouchesWhereAnotherMakerIsPinned() throws Exception {
        manufacture();
        Path other = Files.createDirectories(temp.resolve("other"));
        Files.move(temp.resolve("ca"), other.resolve("ca"));
        Files.delete(temp.resolve("state/tpm2-00.permall"));
        manufacture();
        EnrolmentPolicy pinned = policy("""
                {"format":1, "others":"refuse", "intermediates":["ca/issuercert.pem"],
                 "roots":[{"certificate":"other/ca/swtpm-localca-rootca-cert.pem", "grants":"emulated"}]}
                """);
        try (Swtpm swtpm = Swtpm.start(temp);
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            EnrolmentAuthority.Attempt attempt = Models.accepted(EnrolmentAuthority.begin(
                    new DeviceEnrolment(bridge, "device-1").request(), pinned, Clock.systemUTC()));
            assertThat(attempt.grant().basis()).isEqualTo(EnrolmentPolicy.Basis.NOBODY);
            assertThat(attempt.grant().assurance()).isEqualTo(Assurance.EMULATED);
            assertThat(attempt.grant().why()).contains("no pinned root");
        }
    }
}
