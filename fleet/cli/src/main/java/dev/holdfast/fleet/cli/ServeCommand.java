package dev.holdfast.fleet.cli;

import dev.holdfast.control.UncaughtExceptions;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetKeys;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.FleetResponder;
import dev.holdfast.fleet.FleetService;
import java.time.Clock;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The fleet service in the foreground. */
@Command(
        name = "serve",
        description = "Answers devices until it is told to stop: enrolment, orders, blocks, reports.",
        footer = {"", "Example:", "  fleet serve --dir /srv/cameras"})
final class ServeCommand implements Callable<Integer> {
    private static final long POLL_MILLIS = 50;

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.Connected connected = new FleetCommand.Connected();

    @Override
    public Integer call() throws Exception {
        UncaughtExceptions.endTheProcessFor(FleetService.VITAL_THREADS);
        FleetDirectory.Config config = connected.config();
        FleetRepository repository = connected.in.repository();
        FleetDirectory directory = repository.directory();
        FleetResponder responder =
                new FleetResponder(repository, FleetKeys.DIRECTOR.load(directory.keys()), Clock.systemUTC());
        FleetService service = FleetService.start(directory, config.name(), config.broker(), responder);
        // SIGTERM runs the hooks; the process ends when they have.
        Runtime.getRuntime()
                .addShutdownHook(Thread.ofPlatform().name("fleet-stop").unstarted(service::close));
        while (!service.connected()) {
            Thread.sleep(POLL_MILLIS);
        }
        spec.commandLine().getOut().println("serving fleet " + config.name() + " on " + config.broker());
        int held = directory.heldDevices().size();
        if (held > 0) {
            spec.commandLine().getOut().println("orders of " + held + " devices are held; see fleet resume");
        }
        spec.commandLine().getOut().flush();
        new CountDownLatch(1).await();
        return 0;
    }
}
