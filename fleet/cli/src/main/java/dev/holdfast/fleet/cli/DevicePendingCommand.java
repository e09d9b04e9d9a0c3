package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.holdfast.fleet.PendingDevices;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Table;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Lists who waits to be let in. */
@Command(
        name = "pending",
        footer = {"", "Examples:", "  fleet devices pending", "  fleet devices pending --json | jq -r '.[].endorsement'"
        },
        description = {
            "Lists devices that proved their keys and wait until somebody accepts them, by the name that they ask for.",
            "A name is the device's own word. Its key is proved: compare it with what holdfast status on the device shows."
        })
final class DevicePendingCommand extends DeviceVerb {
    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Override
    public Integer call() throws Exception {
        Instant now = Instant.now();
        List<PendingDevices.Pending> waiting = new PendingDevices(directory()).list(now);
        if (json) {
            ArrayNode list = Json.object().putArray("pending");
            waiting.forEach(one -> list.addObject()
                    .put("device", one.device())
                    .put("endorsement", one.endorsement().hex())
                    .put("grants", rank(one))
                    .put("why", one.why())
                    .put("since", one.since().toString())
                    .put("last", one.last().toString()));
            out().println(new String(Json.write(list), StandardCharsets.UTF_8));
            return 0;
        }
        if (waiting.isEmpty()) {
            out().println("no device waits to be let in");
            return 0;
        }
        Table table = new Table("DEVICE", "KEY", "WOULD BE", "ASKED", "WHY IT WAITS");
        waiting.forEach(one -> table.row(
                one.device(), one.endorsement().hex(), rank(one), Units.distance(one.last(), now), one.why()));
        out().print(table.on(Program.output(spec)));
        out().println("let one in: fleet devices accept DEVICE; keep one out: fleet devices reject DEVICE");
        if (waiting.size() >= PendingDevices.MOST) {
            out().println(
                            "as many wait as are listed, so some are not: accept those by --endorsement, or import a list of keys");
        }
        out().flush();
        return 0;
    }

    private static String rank(PendingDevices.Pending one) {
        return one.grants().name().toLowerCase(Locale.ROOT);
    }
}
