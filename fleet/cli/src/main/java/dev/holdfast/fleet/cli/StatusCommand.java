package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.SignedRole;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Table;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What a fleet's signed files need soon. */
@Command(
        name = "status",
        description = {
            "How many days each role's signature is good, whether its keys are at hand, and what was withdrawn.",
            "Exit code 1 where a role expires soon or has expired: root within 30 days, targets 21, snapshot 7, timestamp 2."
        },
        footer = {"", "Examples:", "  fleet status", "  fleet status --json --keys /media/keys"})
final class StatusCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    OfflineKeys keys = new OfflineKeys();

    @Option(names = "--json", description = "print JSON")
    boolean json;

    /** One role, as it is shown. */
    private record Line(SignedRole role, Instant expires, List<String> missing, Instant now) {
        long days() {
            return Duration.between(now, expires).toDays();
        }

        boolean expired() {
            return !expires.isAfter(now);
        }

        boolean late() {
            return role.isLate(expires, now);
        }

        String note() {
            if (!late()) {
                return "";
            }
            String todo = role == SignedRole.ROOT ? "fleet root draft, sign, publish" : "fleet renew";
            return (expired() ? "EXPIRED: " : "SIGN AGAIN: ") + todo;
        }
    }

    @Override
    public Integer call() throws Exception {
        keys.in.directory().config();
        FleetRepository repository = keys.repository();
        Instant now = Instant.now();
        List<Line> lines = repository.expiries().entrySet().stream()
                .map(each -> new Line(each.getKey(), each.getValue(), repository.missingKeys(each.getKey()), now))
                .toList();
        SortedMap<String, Revocations.Withdrawal> withdrawn =
                repository.revocations().withdrawn();
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(new String(Json.write(toJson(lines, withdrawn)), StandardCharsets.UTF_8));
        } else {
            Table table = new Table("ROLE", "DAYS LEFT", "KEYS", "NOTE");
            lines.forEach(line -> table.row(
                    line.role.toString(),
                    line.expired() ? "0" : String.valueOf(line.days()),
                    line.missing.isEmpty() ? "at hand" : "elsewhere",
                    line.note()));
            out.print(table.on(Program.output(spec)));
            for (Map.Entry<String, Revocations.Withdrawal> each : withdrawn.entrySet()) {
                String reason = each.getValue().reason();
                out.println("withdrawn: " + each.getKey() + (reason.isEmpty() ? "" : " (" + reason + ")"));
            }
            out.flush();
        }
        return lines.stream().anyMatch(Line::late) ? 1 : 0;
    }

    private static ObjectNode toJson(List<Line> lines, SortedMap<String, Revocations.Withdrawal> withdrawn) {
        ObjectNode json = Json.object();
        ArrayNode roles = json.putArray("roles");
        for (Line line : lines) {
            ObjectNode one = roles.addObject()
                    .put("role", line.role.toString())
                    .put("expires", line.expires.toString())
                    .put("days", line.days())
                    .put("late", line.late());
            line.missing.forEach(one.putArray("missingKeys")::add);
        }
        ObjectNode list = json.putObject("withdrawn");
        withdrawn.forEach((path, why) -> list.putObject(path)
                .put("since", Instant.ofEpochSecond(why.sinceSeconds()).toString())
                .put("reason", why.reason()));
        return json;
    }
}
