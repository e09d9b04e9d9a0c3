package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.software.SoftwareBridge;
import org.junit.jupiter.api.Test;

class SoftwareEvidenceTest extends EvidenceContract {
    @Override
    TeeBridge openBridge() throws Exception {
        return SoftwareBridge.open(temp.resolve("tee"));
    }

    @Override
    TeeBridge reboot() throws Exception {
        return SoftwareBridge.open(temp.resolve("tee"), "the next boot");
    }

    @Override
    Assurance assurance() {
        return Assurance.SOFTWARE;
    }

    @Test
    void measuresItsOwnSpeed() throws Exception {
        Speed.report("software bridge", attester, this::appraise);
    }

    /** For who hears others beside the device: its own word is what its key signed for this nonce. */
    @Test
    void onlyWhatTheDevicesKeySignedForThisNonceIsFromIt() throws Exception {
        byte[] evidence = attester.attest(Models.NONCE);
        assertThat(EvidenceVerifier.isFrom(device, evidence, Models.NONCE)).isTrue();
        assertThat(EvidenceVerifier.isFrom(
                        device, evidence, Models.hash("another").value()))
                .isFalse();
        byte[] forged = evidence.clone();
        forged[forged.length - 1] ^= 1;
        assertThat(EvidenceVerifier.isFrom(device, forged, Models.NONCE)).isFalse();
    }
}
