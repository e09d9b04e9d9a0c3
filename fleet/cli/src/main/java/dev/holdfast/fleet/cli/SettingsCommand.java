package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetSetting;
import dev.holdfast.fleet.settings.FleetBroker;
import dev.holdfast.fleet.settings.FleetLog;
import dev.holdfast.link.BrokerAccess;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Shows and changes the fleet's settings: how its programs reach the broker, and how its service logs. */
@Command(
        name = "settings",
        footer = {
            "",
            "Examples:",
            "  fleet settings",
            "  fleet settings --broker mqtts://broker.example --broker-user fleet --broker-password-file"
                    + " broker.password",
            "  fleet settings --log-format json",
            "  fleet settings --attest-every P1D --attest-policy policy.json",
            "  fleet settings --attest-every 1h --of cam-7,cam-8"
        },
        description =
                "Shows the fleet's settings; with options, changes these first. A running fleet serve takes them at"
                        + " SIGHUP; a file that they name is read at each connect.")
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

    @Mixin
    AttestOptions attest = new AttestOptions();

    @Option(
            names = "--log-format",
            paramLabel = "FORM",
            description = "Of fleet serve: auto, text, json, or journal for entries of systemd's with fields.")
    Optional<String> logFormat = Optional.empty();

    @Option(names = "--log-level", paramLabel = "LEVEL", description = "Of fleet serve: error, warn, info or debug.")
    Optional<String> logLevel = Optional.empty();

    @Option(names = "--reference", description = "Print what there is to set, in Markdown, and nothing of this fleet.")
    boolean reference;

    @Option(names = "--json", description = "For programs.")
    boolean json;

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        if (reference) {
            out.print(FleetSetting.reference());
            out.flush();
            return 0;
        }
        FleetDirectory directory = in.directory();
        FleetDirectory.Config config = directory.config();
        boolean devices = attest.isOfDevices(); // first: what does not go together changes nothing
        if (anonymous
                || !broker.isEmpty()
                || logFormat.isPresent()
                || logLevel.isPresent()
                || !attest.over(config.attest()).equals(config.attest())) {
            FleetBroker before = anonymous ? forgotten(config.broker()) : config.broker();
            directory.change(
                    broker.over(before),
                    new FleetLog(
                            logFormat.orElse(config.log().format()),
                            logLevel.orElse(config.log().level())),
                    attest.over(config.attest()));
            config = directory.config();
        }
        if (devices) {
            attest.change(directory, out);
            return 0;
        }
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
                .put("attestEverySeconds", config.attest().every().toSeconds())
                .put("attestAsks", config.attest().asks())
                .put("archiveSeconds", config.attest().keep().toSeconds());
        config.attest().policy().ifPresent(file -> tree.put("attestPolicy", file.toString()));
        tree.put("user", access.user());
        access.password().ifPresent(file -> tree.put("passwordFile", file.toString()));
        access.certificate().ifPresent(file -> tree.put("certificate", file.toString()));
        access.key().ifPresent(file -> tree.put("key", file.toString()));
        var files = tree.putArray("authorities");
        access.authorities().forEach(file -> files.add(file.toString()));
        tree.put("logFormat", config.log().format())
                .put("logLevel", config.log().level());
        return tree;
    }

    private static void print(FleetDirectory.Config config, PrintWriter out) {
        for (FleetSetting setting : FleetSetting.values()) {
            out.println("%-20s%s".formatted(setting.place().label(), setting.shown(config)));
        }
    }
}
