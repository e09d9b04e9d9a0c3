package dev.holdfast.attestation;

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
}
