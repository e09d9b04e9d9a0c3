package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.holdfast.fleet.DesiredModels;
import dev.holdfast.fleet.FleetRestore;
import dev.holdfast.fleet.HeldDevice;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Table;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** After a restore: shows what may hold of the devices whose orders are held, and lets orders go on. */
@Command(
        name = "resume",
        description = {
            "After fleet init --resume-after: lists devices whose orders are held, with what the backup desires and"
                    + " what each says that it serves. With --keep or --restored, orders of the named devices go on.",
            "What a device says is a report and no proof; fleet attest DEVICE proves it."
        },
        footer = {"", "Examples:", "  fleet resume", "  fleet resume cam-7 --restored", "  fleet resume --all --keep"})
final class ResumeCommand implements java.util.concurrent.Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.Connected connected = new FleetCommand.Connected();

    @Parameters(paramLabel = "DEVICE", description = "All whose orders are held, where none is named.")
    List<String> devices = new ArrayList<>();

    @Option(names = "--keep", description = "What the device serves is desired of it from now on.")
    boolean keep;

    @Option(
            names = "--restored",
            description = "What the backup desires holds, though the device may serve something newer.")
    boolean restored;

    @Option(names = "--all", description = "With --keep: every held device that has reported since the restore.")
    boolean all;

    @Option(names = "--no-hint", description = "Send no hint: the devices ask by themselves.")
    boolean noHint;

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Override
    public Integer call() throws Exception {
        var config = connected.config();
        FleetRestore restore = new FleetRestore(connected.in.repository(), Clock.systemUTC());
        if (keep && restored
                || all && (!keep || !devices.isEmpty())
                || (keep || restored) && devices.isEmpty() && !all) {
            throw new ParameterException(
                    spec.commandLine(),
                    "fleet resume [DEVICE...], fleet resume DEVICE... --keep|--restored, or fleet resume --all --keep");
        }
        List<HeldDevice> held = restore.held();
        if (!keep && !restored) {
            list(held.stream()
                    .filter(one -> devices.isEmpty() || devices.contains(one.device()))
                    .toList());
            return 0;
        }
        List<String> chosen = all
                ? held.stream()
                        .filter(one -> one.reported().isPresent())
                        .map(HeldDevice::device)
                        .toList()
                : devices;
        Map<String, DesiredModels> wishes = new LinkedHashMap<>();
        try {
            for (String device : chosen) {
                DesiredModels wish = keep ? restore.keep(device) : restore.restored(device);
                wishes.put(device, wish);
                DesireCommand.print(spec.commandLine().getOut(), device, wish, json);
            }
        } finally {
            if (!noHint) {
                OrderHint.send(config, wishes, spec.commandLine().getErr());
            }
        }
        int left = restore.held().size();
        if (left > 0 && !json) {
            spec.commandLine().getOut().println("still held: " + left + "; see fleet resume");
        }
        return 0;
    }

    private void list(List<HeldDevice> held) {
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            ArrayNode all = Json.object().putArray("held");
            held.forEach(one -> all.add(one.toJson()));
            out.println(new String(Json.write(all), StandardCharsets.UTF_8));
            return;
        }
        if (held.isEmpty()) {
            out.println("no orders are held");
        }
        Table table = new Table("DEVICE", "STATE", "BACKUP", "SERVES");
        for (HeldDevice one : held) {
            String state = one.reported().isEmpty() ? "not heard of" : one.agrees() ? "agrees" : "DIFFERS";
            table.row(one.device(), state, words(one.desired()), words(one.reported()));
        }
        out.print(table.isEmpty() ? "" : table.on(Program.output(spec)));
        out.flush();
    }

    private static String words(Optional<HeldDevice.Serving> serving) {
        return serving.map(one -> one.versions().isEmpty()
                        ? "no model"
                        : one.versions().entrySet().stream()
                                .map(model -> model.getKey() + " " + model.getValue()
                                        + (one.byDefault().equals(Optional.of(model.getKey())) ? " (default)" : ""))
                                .collect(Collectors.joining(", ")))
                .orElse("-");
    }
}
