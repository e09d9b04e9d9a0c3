package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.AttestSettings;
import dev.holdfast.fleet.DesiredModels;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.LastVerdict;
import dev.holdfast.fleet.PendingDevices;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Table;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Lists the enrolled devices. What a report says is the device's own word; only {@code attest} proves it. */
@Command(
        name = "devices",
        description =
                "Lists enrolled devices with their last report; lets devices in, forgets one, or lets it come with other keys.",
        footer = {
            "",
            "Examples:",
            "  fleet devices",
            "  fleet devices --json | jq -r '.[].device'",
            "  fleet devices pending",
            "  fleet devices accept cam-7",
            "  fleet devices forget cam-7"
        },
        subcommands = {
            DevicePendingCommand.class,
            DeviceAcceptCommand.class,
            DeviceRejectCommand.class,
            DeviceImportCommand.class,
            DeviceTokenCommand.class,
            DeviceLabelCommand.class,
            DeviceForgetCommand.class,
            DeviceReplaceCommand.class
        })
final class DevicesCommand implements Callable<Integer> {
    private static final int MAX_REPORT_BYTES = 64 * 1024;
    /** Of a state or a code. */
    private static final int MAX_STATE_CHARS = 32;

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Option(
            names = "--overdue",
            description =
                    "Only devices whose evidence is older than fleet settings --attest-every, or did not affirm; exit"
                            + " code 1 where there is one.")
    boolean overdue;

    @Override
    public Integer call() throws Exception {
        FleetDirectory directory = in.directory();
        AttestSettings attest = directory.config().attest();
        Instant now = Instant.now();
        PrintWriter out = spec.commandLine().getOut();
        ArrayNode list = Json.object().putArray("devices");
        Set<String> held = new HashSet<>(directory.heldDevices());
        for (String device : directory.enrolled()) {
            ObjectNode entry = list.addObject()
                    .put("device", device)
                    .put(
                            "assurance",
                            AppraisalOptions.enrolled(directory.device(device))
                                    .assurance()
                                    .name()
                                    .toLowerCase(Locale.ROOT))
                    .put("online", online(directory.online(device)));
            VerdictAge.into(entry, LastVerdict.read(directory, device), attest.every(directory, device), now);
            if (overdue && !VerdictAge.isAlarm(entry)) {
                list.remove(list.size() - 1);
                continue;
            }
            if (held.contains(device)) {
                entry.put("held", true);
            }
            DesiredModels.read(directory, device).ifPresent(wish -> entry.set("desired", desired(wish)));
            FleetDirectory.readJson(directory.report(device), MAX_REPORT_BYTES)
                    .ifPresent(report -> entry.set("report", report));
            FleetDirectory.readJson(directory.clone(device), MAX_REPORT_BYTES)
                    .filter(DevicesCommand::isRecent)
                    .ifPresent(suspicion -> entry.set("suspectedClone", suspicion));
        }
        if (json) {
            out.println(new String(Json.write(list), StandardCharsets.UTF_8));
            return overdue && !list.isEmpty() ? 1 : 0;
        }
        if (overdue && list.isEmpty()) {
            out.println("no device is overdue, and all affirmed");
            return 0;
        }
        int waiting = new PendingDevices(directory).list(Instant.now()).size();
        String wait =
                waiting + (waiting == 1 ? " device waits" : " devices wait") + " to be let in: fleet devices pending";
        if (list.isEmpty()) {
            out.println("no device is enrolled yet; a device asks with its first look at the fleet, while fleet serve"
                    + " runs");
            if (waiting > 0) {
                out.println(wait);
            }
            return 0;
        }
        Table table = new Table("DEVICE", "ASSURANCE", "LINK", "MODEL", "VERSION", "STATE", "NOTE");
        list.forEach(entry -> rows(table, entry));
        out.print(table.on(Program.output(spec)));
        if (waiting > 0) {
            out.println(wait);
        }
        out.flush();
        return overdue ? 1 : 0;
    }

    /** A row for each model of a device, and one at least. */
    private static void rows(Table table, JsonNode entry) {
        JsonNode report = entry.path("report");
        List<String> notes = new ArrayList<>();
        if (entry.has("suspectedClone")) {
            notes.add(Code.FLT_CLONE.id() + ": two processes report under this name since "
                    + Units.time(entry.at("/suspectedClone/since").asText(), Instant.now()) + "; holdfast explain "
                    + Code.FLT_CLONE.id());
        }
        VerdictAge.note(entry, Instant.now()).ifPresent(notes::add);
        if (entry.path("held").asBoolean()) {
            notes.add(
                    "its orders are held: fleet resume " + entry.path("device").asText());
        }
        String[] device = {
            entry.path("device").asText(),
            entry.path("assurance").asText(),
            entry.path("online").asBoolean() ? "online" : "offline"
        };
        JsonNode listed = report.path("models");
        if (listed.isEmpty()) {
            row(table, device, report, notes);
        }
        for (int i = 0; i < Math.min(listed.size(), ModelName.MAX_MODELS); i++) {
            notes.addAll(notes(listed.path(i)));
            row(table, device, listed.path(i), notes);
            device = new String[] {"", "", ""};
            notes.clear();
        }
    }

    private static void row(Table table, String[] device, JsonNode model, List<String> notes) {
        table.row(
                device[0],
                device[1],
                device[2],
                text(model, "model", ModelName.MAX_CHARS),
                text(model, "version", ModelName.MAX_CHARS),
                text(model, "state", MAX_STATE_CHARS),
                String.join("; ", notes));
    }

    /** A suspicion that was not confirmed for a day is over. */
    private static boolean isRecent(JsonNode suspicion) {
        try {
            return Instant.parse(suspicion.path("at").asText())
                    .isAfter(Instant.now().minus(Duration.ofDays(1)));
        } catch (DateTimeParseException e) {
            return false;
        }
    }

    /** The whole set, and the default model at the top as in the report. */
    private static ObjectNode desired(DesiredModels wish) {
        ObjectNode json = Json.object();
        wish.byDefault()
                .ifPresent(model -> json.put("model", model)
                        .put(
                                "version",
                                Objects.requireNonNull(wish.models().get(model)).version()));
        return json.setAll(wish.toJson());
    }

    /** What is to be told of a model that the device runs; what a report has beyond that or of another kind is left out. */
    private static List<String> notes(JsonNode model) {
        List<String> notes = new ArrayList<>();
        if (model.path("default").asBoolean(false)) {
            notes.add("default");
        }
        if (model.path("fallback").isObject()) {
            notes.add("fallback " + text(model.path("fallback"), "version", ModelName.MAX_CHARS));
        }
        JsonNode graced = model.path("grace");
        for (int i = 0; i < Math.min(graced.size(), ModelName.MAX_GRACED); i++) {
            JsonNode one = graced.path(i);
            notes.add(text(one, "version", ModelName.MAX_CHARS) + " until " + text(one, "until", MAX_STATE_CHARS)
                    + (one.has("code") ? " not served: " + text(one, "code", MAX_STATE_CHARS) : ""));
        }
        JsonNode failure = model.path("lastRejection");
        if (failure.isObject()) {
            notes.add("last failure " + text(failure, "code", MAX_STATE_CHARS) + ": "
                    + text(failure, "detail", Rejection.MAX_DETAIL_CHARS));
        }
        return notes;
    }

    private static String text(JsonNode object, String name, int maxChars) {
        JsonNode value = object.path(name);
        if (!value.isTextual() || value.textValue().isEmpty()) {
            return "-";
        }
        String text = value.textValue();
        return text.length() > maxChars ? text.substring(0, maxChars) : text;
    }

    private static boolean online(Path file) throws IOException {
        return Files.exists(file)
                && Files.readString(file, StandardCharsets.ISO_8859_1).equals("1");
    }
}
