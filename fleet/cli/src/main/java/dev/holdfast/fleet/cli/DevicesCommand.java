package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.DesiredModel;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Lists the enrolled devices. What a report says is the device's own word; only {@code attest} proves it. */
@Command(name = "devices", description = "Lists enrolled devices with their last report.")
final class DevicesCommand implements Callable<Integer> {
    private static final int MAX_REPORT_BYTES = 64 * 1024;

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Option(names = "--json")
    boolean json;

    @Override
    public Integer call() throws Exception {
        FleetDirectory directory = in.directory();
        directory.config();
        PrintWriter out = spec.commandLine().getOut();
        ArrayNode list = Json.object().putArray("devices");
        for (String device : FleetDirectory.names(directory.devices(), ".json")) {
            ObjectNode entry = list.addObject()
                    .put("device", device)
                    .put(
                            "assurance",
                            AppraisalOptions.enrolled(directory.device(device))
                                    .assurance()
                                    .name()
                                    .toLowerCase(Locale.ROOT))
                    .put("online", online(directory.online(device)));
            DesiredModel.read(directory, device)
                    .ifPresent(wish -> entry.putObject("desired")
                            .put("model", wish.model())
                            .put("version", wish.version())
                            .put("counter", wish.counter()));
            FleetDirectory.readJson(directory.report(device), MAX_REPORT_BYTES)
                    .ifPresent(report -> entry.set("report", report));
        }
        if (json) {
            out.println(new String(Json.write(list), StandardCharsets.UTF_8));
            return 0;
        }
        for (JsonNode entry : list) {
            JsonNode report = entry.path("report");
            out.println(printable(String.format(
                    Locale.ROOT,
                    "%-24s %-9s %-7s %s %s %s",
                    entry.path("device").asText(),
                    entry.path("assurance").asText(),
                    entry.path("online").asBoolean() ? "online" : "offline",
                    report.path("model").asText("-"),
                    report.path("version").asText("-"),
                    report.path("state").asText("-"))));
        }
        return 0;
    }

    private static boolean online(Path file) throws IOException {
        return Files.exists(file)
                && Files.readString(file, StandardCharsets.ISO_8859_1).equals("1");
    }

    /** Reports come from devices: nothing in them may steer the terminal. */
    private static String printable(String line) {
        return line.replaceAll("\\p{Cntrl}", "?");
    }
}
