package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.BrokerLink;
import dev.holdfast.fleet.DesiredModel;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.Topics;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Orders a model for a device. */
@Command(name = "desire", description = "Says what a device shall run, and gives it a hint to ask.")
final class DesireCommand implements Callable<Integer> {
    private static final Duration HINT_DEADLINE = Duration.ofSeconds(5);

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.Connected connected = new FleetCommand.Connected();

    @Mixin
    RolloutOptions rollout = new RolloutOptions();

    @Parameters(index = "0", paramLabel = "DEVICE")
    String device = "";

    @Parameters(index = "1", paramLabel = "MODEL")
    String model = "";

    @Parameters(index = "2", paramLabel = "VERSION")
    String version = "";

    @Override
    public Integer call() throws Exception {
        FleetDirectory.Config config = connected.config();
        FleetDirectory.requireDevice(device);
        DesiredModel wish =
                DesiredModel.write(connected.in.repository(), device, model, version, rollout.terms(Clock.systemUTC()));
        spec.commandLine()
                .getOut()
                .println("desired of " + device + ": " + model + " " + version + ", order " + wish.counter());
        byte[] hint = Long.toString(wish.counter()).getBytes(StandardCharsets.US_ASCII);
        try (MqttLink link = BrokerLink.connect(config.broker(), List.of(), HINT_DEADLINE, message -> {})) {
            link.publish(new Topics(config.name(), device).desired(), hint, true);
        } catch (IOException e) {
            // The order holds without the hint: devices also ask by themselves.
            spec.commandLine().getErr().println("warning: no hint was sent: " + e.getMessage());
        }
        return 0;
    }
}
