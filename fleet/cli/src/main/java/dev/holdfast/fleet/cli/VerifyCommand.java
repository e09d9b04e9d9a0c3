package dev.holdfast.fleet.cli;

import dev.holdfast.attestation.verify.DeviceMemory;
import dev.holdfast.attestation.verify.DeviceTime;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Appraises stored evidence without a network. The device's record stays as it is. */
@Command(
        name = "verify",
        description = "Appraises stored evidence without a network; exit code 0 only if it affirms.",
        footer = {"", "Example:", "  fleet verify cam-7.cbor --nonce $(cat cam-7.cbor.nonce) --policy policy.json"})
final class VerifyCommand implements Callable<Integer> {
    private static final long MAX_EVIDENCE_FILE_BYTES = 4 << 20;

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Mixin
    AppraisalOptions appraiser = new AppraisalOptions();

    @Parameters(index = "0", paramLabel = "EVIDENCE", description = "File with the evidence.")
    Path evidence = Path.of("");

    @Option(
            names = "--nonce",
            paramLabel = "HEX",
            required = true,
            description = "The challenge's nonce in hexadecimal.")
    String nonce = "";

    @Option(
            names = "--issued",
            paramLabel = "TIME",
            description =
                    "When the challenge was sent, such as 2026-11-25T12:00:00Z. Evidence that is older than what the"
                            + " fleet has seen of the device since is a warning without it.")
    @Nullable
    Instant issued;

    @Option(
            names = "--device",
            paramLabel = "FILE.json",
            description = "The device's record (default: the one in the fleet directory that the evidence names).")
    @Nullable
    Path device;

    @Override
    public Integer call() throws Exception {
        appraiser.policy(); // a policy that cannot be read comes before everything else
        Optional<Path> named = appraiser.fleetOfPolicy();
        FleetRepository repository = named.isPresent()
                ? new FleetRepository(new FleetDirectory(named.get()), Clock.systemUTC())
                : in.repository();
        if (Files.size(evidence) > MAX_EVIDENCE_FILE_BYTES) {
            throw new RejectedException(Code.WIRE_TOO_LARGE, evidence + " is longer than any evidence");
        }
        byte[] bytes = Files.readAllBytes(evidence);
        EnrolledDevice enrolled =
                device == null ? enrolled(repository.directory(), bytes) : AppraisalOptions.enrolled(device);
        Binary asked = InputFile.of("--nonce", Binary.fromHex(nonce));
        Optional<Duration> age = Optional.ofNullable(issued).map(sent -> Duration.between(sent, Instant.now()));
        var question = new EvidenceVerifier.Question(asked, age, asked(enrolled.memory()));
        var appraisal = appraiser.appraise(bytes, question, enrolled, repository.references());
        return appraiser.print(spec, appraisal, enrolled);
    }

    /** What the fleet had seen of the device when the challenge was sent. */
    private EvidenceVerifier.Asked asked(DeviceMemory memory) {
        if (issued == null || memory.seenAt().isEmpty()) {
            return new EvidenceVerifier.Asked.Unknown();
        }
        return issued.isBefore(memory.seenAt().get())
                ? new EvidenceVerifier.Asked.After(DeviceTime.START)
                : new EvidenceVerifier.Asked.Last();
    }

    /** The record whose signer the evidence names; whether it really signed is for the appraisal to find out. */
    private static EnrolledDevice enrolled(FleetDirectory directory, byte[] evidence)
            throws IOException, RejectedException {
        Binary signer = EvidenceVerifier.claimedSigner(evidence).orThrow();
        for (String name : directory.enrolled()) {
            EnrolledDevice one = AppraisalOptions.enrolled(directory.device(name));
            if (P256.thumbprint(one.signer()).value().equals(signer)) {
                return one;
            }
        }
        throw new RejectedException(Code.ATT_NOT_ENROLLED, "no enrolled device has the key " + signer);
    }
}
