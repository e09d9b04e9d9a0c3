package dev.holdfast.fleet.cli;

import dev.holdfast.attestation.verify.ArchivedCase;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.SeenReferences;
import dev.holdfast.fleet.BrokerLink;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetKeys;
import dev.holdfast.fleet.KeptArchives;
import dev.holdfast.fleet.LastVerdict;
import dev.holdfast.fleet.ServedThen;
import dev.holdfast.fleet.SignedArchive;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Evidence;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.Topics;
import dev.holdfast.terminal.Page;
import dev.holdfast.terminal.Program;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Challenges a device and appraises what it answers. */
@Command(
        name = "attest",
        description = "Asks a device to prove what it runs; exit code 0 only if it does.",
        footer = {
            "",
            "Examples:",
            "  fleet attest cam-7",
            "  fleet attest cam-7 --min-assurance hardware --archive cam-7.json",
            "  fleet attest cam-7 --policy regulated.json --ear cam-7.jwt --out cam-7.cbor",
            "  fleet attest cam-7 --at 2027-03-03T10:00Z"
        })
final class AttestCommand implements Callable<Integer> {
    private static final int NONCE_BYTES = 32;
    /** Times that the device is asked, with the same nonce: after half of the time again. */
    private static final int ATTEMPTS = 2;

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.Connected connected = new FleetCommand.Connected();

    @Mixin
    AppraisalOptions appraiser = new AppraisalOptions();

    @Mixin
    ResultOptions results = new ResultOptions();

    @Parameters(index = "0", paramLabel = "DEVICE", description = "The device's name.")
    String device = "";

    @Option(names = "--timeout", paramLabel = "N", description = "Seconds to wait (default: ${DEFAULT-VALUE}).")
    int timeoutSeconds = 30;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description = "Where to keep the evidence; its nonce goes to FILE.nonce in hexadecimal.")
    Optional<Path> out = Optional.empty();

    @Option(
            names = "--archive",
            paramLabel = "FILE",
            description = "Where to keep the evidence with all that appraising it needed, signed by the verifier: fleet"
                    + " verify --archive FILE gives the same verdict years later, by that file alone. The fleet directory"
                    + " keeps the newest 16 of each device in archive/.")
    Optional<Path> archive = Optional.empty();

    @Option(
            names = "--at",
            paramLabel = "TIME",
            description = "Ask nobody, and say from the archives in the fleet directory what served then, such as"
                    + " 2027-03-03T10:00Z; exit code 0 only where one set of models is proved.")
    Optional<Instant> at = Optional.empty();

    @Override
    public Integer call() throws Exception {
        FleetDirectory.Config config = connected.config();
        FleetDirectory.requireName(device);
        if (at.isPresent()) {
            return print(ServedThen.of(connected.in.directory(), device, at.get()));
        }
        DeviceRecords records = new DeviceRecords(connected.in.directory());
        // Whoever is not enrolled is not asked. Another verifier may hear from the device between our question and its
        // answer.
        EnrolledDevice enrolled = records.read(device);
        var seen = enrolled.memory().newest();
        byte[] random = new byte[NONCE_BYTES];
        new SecureRandom().nextBytes(random);
        Binary nonce = Binary.copyOf(random);
        long asked = System.nanoTime();
        byte[] evidence = ask(config, nonce, enrolled);
        Duration age = Duration.ofNanos(System.nanoTime() - asked);
        if (out.isPresent()) {
            Files.write(out.get(), evidence);
            Files.writeString(out.get().resolveSibling(out.get().getFileName() + ".nonce"), nonce.hex() + "\n");
        }
        EvidenceVerifier.Question question =
                new EvidenceVerifier.Question(nonce, Optional.of(age), new EvidenceVerifier.Asked.After(seen));
        SeenReferences references = new SeenReferences(connected.in.repository().references());
        DeviceRecords.Appraised done =
                records.appraise(device, newest -> appraiser.appraise(evidence, question, newest, references));
        AttestationResult result = new AttestationResult(
                done.appraisal(),
                device,
                nonce,
                Sha256.of(evidence),
                Instant.now().truncatedTo(ChronoUnit.MILLIS));
        VerifierKey key = VerifierKey.open(connected.in.directory());
        byte[] archived =
                SignedArchive.write(ArchivedCase.of(evidence, question, done.device(), references, result), key);
        new KeptArchives(connected.in.directory()).keep(device, result.at(), archived);
        LastVerdict.keep(connected.in.directory(), result);
        if (archive.isPresent()) {
            Files.write(archive.get(), archived);
        }
        results.write(result, key);
        return appraiser.print(spec, result, done.device(), Json.object());
    }

    private int print(ServedThen then) {
        PrintWriter out = spec.commandLine().getOut();
        if (appraiser.json) {
            out.println(new String(Json.write(then.toJson()), StandardCharsets.UTF_8));
        } else {
            Page page = new Page(Program.output(spec));
            page.section("At " + then.at()).line("device", then.device());
            then.before().ifPresent(look -> page.line("look before", look.appraised() + ", " + look.status()));
            then.after().ifPresent(look -> page.line("look after", look.appraised() + ", " + look.status()));
            page.line("", then.says(), then.isProved() ? Page.Mark.GOOD : Page.Mark.BAD);
            then.sets().forEach(models -> page.line("served", models.isEmpty() ? "none" : String.join(", ", models)));
            out.print(page);
            out.flush();
        }
        return then.isProved() ? 0 : 1;
    }

    private byte[] ask(FleetDirectory.Config config, Binary nonce, EnrolledDevice enrolled)
            throws IOException, RejectedException {
        Topics topics = new Topics(config.name(), device);
        byte[] challenge = challenge(topics, nonce).encode();
        Answer answer = new Answer(enrolled, nonce);
        Duration deadline = Duration.ofSeconds(timeoutSeconds);
        long end = System.nanoTime() + deadline.toNanos();
        try (MqttLink link = BrokerLink.connect(config.broker(), List.of(topics.evidence()), deadline, answer::take)) {
            for (int attempt = 1; ; attempt++) {
                link.publish(topics.challenge(), challenge, false);
                try {
                    // Asked again: what floods the device's topic may have pushed the first question out.
                    long left = end - System.nanoTime();
                    return answer.own.get(attempt == ATTEMPTS ? left : left / 2, TimeUnit.NANOSECONDS);
                } catch (TimeoutException e) {
                    if (attempt == ATTEMPTS) {
                        // A device that has other keys than it is enrolled with answers, too.
                        return answer.another.orElseThrow(() -> new RejectedException(
                                Code.ATT_TIMEOUT, device + " did not answer in " + timeoutSeconds + " s"));
                    }
                }
            }
        } catch (ExecutionException e) {
            throw new IOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /** Signed where the Director's key is here, so that the device knows that its fleet asks. */
    private Challenge challenge(Topics topics, Binary nonce) throws IOException, RejectedException {
        long now = Instant.now().getEpochSecond();
        return new Challenge(
                nonce,
                FleetKeys.DIRECTOR.loadPresent(connected.in.directory().keys()).stream()
                        .filter(key -> key.kind() == KeyKind.ED25519)
                        .findFirst()
                        .map(key -> new Challenge.Seal(
                                now, Binary.copyOf(key.sign(Challenge.toBeSigned(topics, nonce, now))))));
    }

    /** What comes as the answer. Anybody who reaches the topic may send some; the device's own word is waited for. */
    private static final class Answer {
        private final EnrolledDevice enrolled;
        private final Binary nonce;
        private final EvidenceCandidates candidates;
        private final CompletableFuture<byte[]> own = new CompletableFuture<>();
        private volatile Optional<byte[]> another = Optional.empty();

        Answer(EnrolledDevice enrolled, Binary nonce) {
            this.enrolled = enrolled;
            this.nonce = nonce;
            this.candidates = new EvidenceCandidates(nonce, new SecureRandom());
        }

        /** Evidence for other nonces belongs to other verifiers. On the link's own thread. */
        void take(MqttLink.Inbound message) {
            if (Evidence.decode(message.payload()) instanceof Verdict.Accepted<Evidence>(Evidence part)) {
                candidates.take(part).forEach(whole -> {
                    if (EvidenceVerifier.isFrom(enrolled, whole, nonce)) {
                        own.complete(whole);
                    } else {
                        another = Optional.of(whole);
                    }
                });
            }
        }
    }
}
