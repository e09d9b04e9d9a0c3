package dev.holdfast.fleet.cli;

import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.fleet.attest.Attestation;
import dev.holdfast.fleet.attest.Inquiry;
import dev.holdfast.fleet.attest.ServedThen;
import dev.holdfast.fleet.settings.BrokerLink;
import dev.holdfast.link.Evidence;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.Topics;
import dev.holdfast.terminal.Page;
import dev.holdfast.terminal.Program;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
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
                    + " keeps those of each device in archive/, for as long as fleet settings --keep-archives says.")
    Optional<Path> archive = Optional.empty();

    @Option(
            names = "--at",
            paramLabel = "TIME",
            description = "Ask nobody, and say from the archives in the fleet directory what served then, such as"
                    + " 2027-03-03T10:00Z, and where nothing is proved from when to when and why; exit code 0 only where one"
                    + " set of models is proved.")
    Optional<Instant> at = Optional.empty();

    @Override
    public Integer call() throws Exception {
        FleetDirectory.Config config = connected.config();
        FleetDirectory.requireName(device);
        if (at.isPresent()) {
            return print(ServedThen.of(connected.in.directory(), device, at.get()));
        }
        AppraisalPolicy policy = appraiser.policy(); // one that cannot be read comes before the question
        VerifierKey key = VerifierKey.open(connected.in.directory());
        // Whoever is not enrolled is not asked.
        Inquiry inquiry =
                Inquiry.of(new DeviceRecords(connected.in.directory()), config.name(), device, Clock.systemUTC());
        byte[] evidence = ask(config, inquiry);
        if (out.isPresent()) {
            Files.write(out.get(), evidence);
            Files.writeString(
                    out.get().resolveSibling(out.get().getFileName() + ".nonce"),
                    inquiry.challenge().nonce().hex() + "\n");
        }
        Attestation.Done done = new Attestation(connected.in.repository(), key, Clock.systemUTC())
                .judge(inquiry, evidence, policy, "person", Optional.empty());
        if (archive.isPresent()) {
            Files.write(archive.get(), done.archive());
        }
        results.write(done.result(), key);
        return appraiser.print(spec, done.result(), done.device(), Json.object());
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
            then.gap().ifPresent(why -> page.line("open", why, Page.Mark.BAD));
            then.sets().forEach(models -> page.line("served", models.isEmpty() ? "none" : String.join(", ", models)));
            out.print(page);
            out.flush();
        }
        return then.isProved() ? 0 : 1;
    }

    private byte[] ask(FleetDirectory.Config config, Inquiry inquiry) throws IOException, RejectedException {
        Topics topics = inquiry.topics();
        byte[] challenge = inquiry.challenge().encode();
        Duration deadline = Duration.ofSeconds(timeoutSeconds);
        long end = System.nanoTime() + deadline.toNanos();
        try (MqttLink link = BrokerLink.connect(
                config.broker(), List.of(topics.evidence()), deadline, message -> take(inquiry, message))) {
            for (int attempt = 1; ; attempt++) {
                link.publish(topics.challenge(), challenge, false);
                try {
                    // Asked again: what floods the device's topic may have pushed the first question out.
                    long left = end - System.nanoTime();
                    return inquiry.own().get(attempt == ATTEMPTS ? left : left / 2, TimeUnit.NANOSECONDS);
                } catch (TimeoutException e) {
                    if (attempt == ATTEMPTS) {
                        // A device that has other keys than it is enrolled with answers, too.
                        return inquiry.another()
                                .orElseThrow(() -> new RejectedException(
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

    private static void take(Inquiry inquiry, MqttLink.Inbound message) {
        if (Evidence.decode(message.payload()) instanceof Verdict.Accepted<Evidence>(Evidence part)) {
            inquiry.take(part);
        }
    }
}
