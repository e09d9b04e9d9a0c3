package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.ArchivedCase;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.attestation.verify.DeviceMemory;
import dev.holdfast.attestation.verify.DeviceTime;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.fleet.attest.SignedArchive;
import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Appraises stored evidence without a network. The device's record stays as it is. */
@Command(
        name = "verify",
        description = "Appraises stored evidence without a network; exit code 0 only if it affirms.",
        footer = {
            "",
            "Examples:",
            "  fleet verify cam-7.cbor --nonce $(cat cam-7.cbor.nonce) --policy policy.json",
            "  fleet verify --archive cam-7.json --verifier 5d21...e0"
        })
final class VerifyCommand implements Callable<Integer> {
    private static final long MAX_EVIDENCE_FILE_BYTES = 4 << 20;

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Mixin
    AppraisalOptions appraiser = new AppraisalOptions();

    @Mixin
    ResultOptions results = new ResultOptions();

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "EVIDENCE",
            description = "File with the evidence; not with --archive.")
    @Nullable
    Path evidence;

    @Option(
            names = "--nonce",
            paramLabel = "HEX",
            description = "The challenge's nonce in hexadecimal; not with --archive.")
    @Nullable
    String nonce;

    @Option(
            names = "--archive",
            paramLabel = "FILE",
            description = "Appraise again what fleet attest archived, by that file alone: as it was then, or by another"
                    + " --policy.")
    @Nullable
    Path archive;

    @Option(
            names = "--verifier",
            paramLabel = "ID",
            description =
                    "With --archive: whose archive it must be, as fleet verifier printed it where it was made. Without"
                            + " it an archive shows that nobody changed it since, and not whose it is.")
    @Nullable
    String verifier;

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
        if (archive != null) {
            if (evidence != null || nonce != null || issued != null || device != null) {
                throw new ParameterException(
                        spec.commandLine(), "--archive FILE holds evidence, nonce, time and device: name none of them");
            }
            return archived(archive);
        }
        if (evidence == null || nonce == null || verifier != null) {
            throw new ParameterException(
                    spec.commandLine(), "fleet verify EVIDENCE --nonce HEX, or fleet verify --archive FILE");
        }
        return fresh(evidence, nonce);
    }

    private int fresh(Path file, String sent) throws IOException, RejectedException {
        AppraisalPolicy policy = appraiser.policy(); // one that cannot be read comes before everything else
        Optional<Path> named = appraiser.fleetOfPolicy();
        FleetRepository repository = named.isPresent()
                ? new FleetRepository(new FleetDirectory(named.get()), Clock.systemUTC())
                : in.repository();
        byte[] bytes = read(file, MAX_EVIDENCE_FILE_BYTES);
        EnrolledDevice enrolled =
                device == null ? enrolled(repository.directory(), bytes) : AppraisalOptions.enrolled(device);
        Binary asked = InputFile.of("--nonce", Binary.fromHex(sent));
        Optional<Duration> age = Optional.ofNullable(issued).map(at -> Duration.between(at, Instant.now()));
        var question = new EvidenceVerifier.Question(asked, age, asked(enrolled.memory()));
        var appraisal = EvidenceVerifier.verify(bytes, question, enrolled, repository.references(), policy);
        AttestationResult result =
                new AttestationResult(appraisal, enrolled.deviceId(), asked, Sha256.of(bytes), Instant.now());
        if (results.isGiven()) {
            results.write(result, VerifierKey.open(repository.directory()));
        }
        return appraiser.print(spec, result, enrolled, Json.object());
    }

    /** The verdict of then, whatever has become of the fleet, its keys and this machine's clock. */
    private int archived(Path file) throws IOException, RejectedException {
        SignedArchive signed = InputFile.of(file.toString(), SignedArchive.read(read(file, SignedArchive.MAX_BYTES)));
        String id = signed.verifier().id().hex();
        boolean anchored = anchored(file, id);
        ArchivedCase then = signed.archived();
        AttestationResult result = appraiser.isGiven() ? then.appraise(appraiser.policy()) : then.appraise();
        if (results.isGiven()) {
            results.write(result, VerifierKey.open(in.directory()));
        }
        ObjectNode more = Json.object();
        more.putObject("archive")
                .put("at", then.at().toString())
                .put("verifier", id)
                .put("anchored", anchored)
                .put("build", signed.build())
                .put("recorded", then.recordedStatus());
        int exit = appraiser.print(spec, result, then.device(), more);
        PrintWriter err = spec.commandLine().getErr();
        err.println("archived " + then.at() + " by verifier " + id
                + (anchored
                        ? ""
                        : ", which nobody vouched for here: compare it with what fleet verifier prints where the archive was"
                                + " made, or name it with --verifier"));
        String now = result.appraisal().status().name().toLowerCase(Locale.ROOT);
        if (!now.equals(then.recordedStatus()) && !appraiser.isGiven()) {
            err.println("the verifier of then, " + signed.build() + ", said " + then.recordedStatus()
                    + "; this one says " + now);
        }
        return exit;
    }

    /** Whether the archive is by a verifier that is known here from elsewhere; one that was named must be it. */
    private boolean anchored(Path file, String id) throws IOException, RejectedException {
        if (verifier == null) {
            return VerifierKey.find(in.directory())
                    .filter(own -> own.publicHalf().id().hex().equals(id))
                    .isPresent();
        }
        if (!verifier.equalsIgnoreCase(id)) {
            throw new RejectedException(
                    Code.ATT_ARCHIVE, file + ": expected an archive by verifier " + verifier + ", got one by " + id);
        }
        return true;
    }

    private static byte[] read(Path file, long maxBytes) throws IOException, RejectedException {
        if (Files.size(file) > maxBytes) {
            throw new RejectedException(Code.WIRE_TOO_LARGE, file + " is longer than " + maxBytes + " bytes");
        }
        return Files.readAllBytes(file);
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
