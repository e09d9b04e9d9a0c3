package dev.holdfast.agent;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** Tells the fleet this device's keys, by the credential of TPM 2.0 Part 1 where the TEE has one. One thread. */
final class Enrolment {
    private final TeeBridge bridge;
    private final String device;
    private final FleetClient fleet;
    private final Path certificates;

    /** @param certificates folder for what the fleet issues */
    Enrolment(TeeBridge bridge, String device, FleetClient fleet, Path certificates) {
        this.bridge = bridge;
        this.device = device;
        this.fleet = fleet;
        this.certificates = certificates;
    }

    /** Enrols; empty where the fleet took the keys, else why it did not. */
    Optional<Rejection> run() throws IOException, TeeException {
        DeviceEnrolment enrolment = new DeviceEnrolment(bridge, device);
        try {
            Binary challenge = ask(new Request.Enrol(Binary.copyOf(enrolment.request())));
            byte[] proof = enrolment.prove(challenge.toArray()).orThrow();
            Binary welcome = ask(new Request.Prove(Binary.copyOf(proof)));
            Verdict<Optional<DeviceEnrolment.Issued>> issued = enrolment.complete(welcome.toArray());
            if (issued.orThrow().isPresent()) {
                CertificateFiles.keep(certificates, issued.orThrow().get());
            }
            return Optional.empty();
        } catch (RejectedException e) {
            return Optional.of(e.rejection());
        }
    }

    private Binary ask(Request.Body question) throws IOException, RejectedException {
        if (fleet.single(question) instanceof Reply.Enrolment(Binary answer)) {
            return answer;
        }
        throw new RejectedException(Code.ATT_ENROL, "the service answered something else");
    }
}
