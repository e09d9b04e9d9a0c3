package dev.holdfast.fleet.cli;

import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.Signals;
import dev.holdfast.control.UncaughtExceptions;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetKeys;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.FleetResponder;
import dev.holdfast.fleet.FleetService;
import dev.holdfast.fleet.Renewal;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.fleet.attest.AttestDuty;
import dev.holdfast.fleet.attest.Attestation;
import dev.holdfast.fleet.rollout.DirectoryFleet;
import dev.holdfast.fleet.rollout.RolloutDuty;
import dev.holdfast.fleet.rollout.RolloutEngine;
import dev.holdfast.fleet.rollout.RolloutStore;
import dev.holdfast.log.Logs;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The fleet service in the foreground. */
@Command(
        name = "serve",
        description =
                "Answers devices until it is told to stop: enrolment, orders, blocks, reports; asks them for evidence, moves"
                        + " rollouts on, and signs snapshot and timestamp again before they expire.",
        footer = {
            "",
            "SIGHUP has it read the fleet's settings again, all of them or none. Options given here stay.",
            "",
            "Example:",
            "  fleet serve --dir /srv/cameras"
        })
final class ServeCommand implements Callable<Integer> {
    private static final long POLL_MILLIS = 50;
    private static final List<String> VITAL_THREADS = Stream.concat(
                    FleetService.VITAL_THREADS.stream(), Stream.of(RolloutDuty.THREAD))
            .toList();

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.Connected connected = new FleetCommand.Connected();

    @Override
    public Integer call() throws Exception {
        UncaughtExceptions.endTheProcessFor(VITAL_THREADS);
        Logs.ofDaemon("fleet");
        try {
            serve();
            return 0;
        } catch (IOException | RejectedException e) {
            if (Logs.tell(e)) {
                return CommandFailure.exitCode(e);
            }
            throw e;
        }
    }

    private void serve() throws IOException, RejectedException, InterruptedException {
        FleetDirectory.Config config = connected.config();
        Logs.configure(config.log().format(), config.log().level());
        FleetRepository repository = connected.in.repository();
        FleetDirectory directory = repository.directory();
        FleetResponder responder =
                new FleetResponder(repository, FleetKeys.DIRECTOR.load(directory.keys()), Clock.systemUTC());
        CompletableFuture<FleetService> serving = new CompletableFuture<>();
        AttestDuty duty = AttestDuty.start(
                new Attestation(repository, VerifierKey.open(directory), Clock.systemUTC()),
                config.name(),
                (device, challenge) -> serving.join().challenge(device, challenge));
        FleetService service = FleetService.start(directory, config, responder, duty);
        serving.complete(service);
        RolloutStore store = RolloutStore.open(directory.root());
        RolloutDuty rollouts = RolloutDuty.start(new RolloutEngine(
                store,
                new DirectoryFleet(repository, (device, wish) -> service.hint(device, wish.counter()), duty::ask),
                Clock.systemUTC()));
        Renewal renewal = Renewal.start(repository, Clock.systemUTC());
        SettingsReload reload = new SettingsReload(connected::config, config, service, duty);
        Signals.handle("HUP", () -> reload.run());
        // SIGTERM runs the hooks; the process ends when they have.
        Runtime.getRuntime()
                .addShutdownHook(Thread.ofPlatform().name("fleet-stop").unstarted(() -> {
                    renewal.close();
                    rollouts.close();
                    duty.close();
                    service.close();
                }));
        Optional<Code> told = Optional.empty();
        while (!service.connected()) {
            // Why it does not serve yet, once for each cause; the log has each attempt.
            Optional<Rejection> trouble = service.trouble();
            if (trouble.isPresent() && !trouble.map(Rejection::code).equals(told)) {
                told = trouble.map(Rejection::code);
                Code code = told.get();
                if (!Logs.tell(new RejectedException(trouble.get()))) {
                    spec.commandLine().getErr().println(trouble.get() + "; " + code.remedy());
                }
            }
            Thread.sleep(POLL_MILLIS);
        }
        spec.commandLine()
                .getOut()
                .println("serving fleet " + config.name() + " on "
                        + config.broker().address());
        int held = directory.heldDevices().size();
        if (held > 0) {
            spec.commandLine().getOut().println("orders of " + held + " devices are held; see fleet resume");
        }
        spec.commandLine().getOut().flush();
        new CountDownLatch(1).await();
    }
}
