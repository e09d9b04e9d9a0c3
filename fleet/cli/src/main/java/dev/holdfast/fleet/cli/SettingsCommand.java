package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.FleetBroker;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.link.BrokerAccess;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Shows and changes how the fleet's programs reach the broker. */
@Command(
        name = "settings",
        footer = {
            "",
            "Examples:",
            "  fleet settings",
            "  fleet settings --broker mqtts://broker.example --broker-user fleet --broker-password-file broker.password"
        },
        description =
                "Shows the fleet's settings; with options of the broker, changes these first. A running fleet serve"
                        + " reads them at its start; a file that they name is read at each connect.")
final class SettingsCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Mixin
    BrokerOptions broker = new BrokerOptions();

    @Option(
            names = "--broker-anonymous",
            description = "Forget user, password, certificate and key; what else is given counts anew.")
    boolean anonymous;

    @Option(
            names = "--attest-every",
            paramLabel = "TIME",
            description =
                    "How often each device's evidence is expected, such as P7D (the default) or 12h; fleet devices"
                            + " --overdue lists those that nobody asked for longer.")
    Optional<Duration> attestEvery = Optional.empty();

    @Option(names = "--json", description = "For programs.")
    boolean json;

    @Override
    public Integer call() throws Exception {
        FleetDirectory directory = in.directory();
        FleetDirectory.Config config = directory.config();
        if (anonymous || !broker.isEmpty()) {
            FleetBroker before = anonymous ? forgotten(config.broker()) : config.broker();
            directory.change(broker.over(before));
            config = directory.config();
        }
        if (attestEvery.isPresent()) {
            directory.expect(attestEvery.get());
            config = directory.config();
        }
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(new String(Json.write(tree(config)), StandardCharsets.UTF_8));
        } else {
            print(config, out);
        }
        return 0;
    }

    private static FleetBroker forgotten(FleetBroker broker) {
        return new FleetBroker(
                broker.address(),
                new BrokerAccess.Settings(
                        "",
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        broker.settings().authorities()));
    }

    private static ObjectNode tree(FleetDirectory.Config config) {
        BrokerAccess.Settings access = config.broker().settings();
        ObjectNode tree = Json.object()
                .put("name", config.name())
                .put("broker", config.broker().address())
                .put("attestEverySeconds", config.attestEvery().toSeconds());
        tree.put("user", access.user());
        access.password().ifPresent(file -> tree.put("passwordFile", file.toString()));
        access.certificate().ifPresent(file -> tree.put("certificate", file.toString()));
        access.key().ifPresent(file -> tree.put("key", file.toString()));
        var files = tree.putArray("authorities");
        access.authorities().forEach(file -> files.add(file.toString()));
        return tree;
    }

    private static void print(FleetDirectory.Config config, PrintWriter out) {
        BrokerAccess.Settings access = config.broker().settings();
        out.println("fleet               " + config.name());
        out.println("evidence expected   every " + config.attestEvery());
        out.println("broker              " + config.broker().address());
        out.println("broker user         " + (access.user().isEmpty() ? "none" : access.user()));
        out.println("broker password     "
                + access.password().map(file -> "in " + file).orElse("none"));
        out.println("broker certificate  "
                + access.certificate().map(Path::toString).orElse("none"));
        out.println(
                "broker key          " + access.key().map(file -> "in " + file).orElse("none"));
        out.println("broker authorities  "
                + (access.authorities().isEmpty()
                        ? "Java's list"
                        : access.authorities().stream().map(Path::toString).collect(Collectors.joining(", "))));
    }
}
