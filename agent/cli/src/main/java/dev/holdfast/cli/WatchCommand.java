package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.AgentClient;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.ProgressLine;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code holdfast watch}: a line for each change; while blocks come in, a line of progress on standard error. */
@Command(
        name = "watch",
        description = "Follows what the agent does, a line for each change, until interrupted.",
        footer = {
            "",
            "Examples:",
            "  holdfast watch",
            "  holdfast watch --json --seconds 60 | jq .state",
        })
final class WatchCommand extends HoldfastCommand.Configured {
    private static final Duration POLL = Duration.ofMillis(500);

    @Option(names = "--json", description = "print the status as a line of JSON for each change")
    boolean json;

    @Option(
            names = "--seconds",
            paramLabel = "N",
            description = "end after so many seconds (never)",
            defaultValue = "2147483647")
    int seconds = Integer.MAX_VALUE;

    @Override
    public Integer call() throws RejectedException, InterruptedException {
        AgentClient agent = new AgentClient(sockets().agent());
        long end = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
        String last = "";
        try (ProgressLine progress = Program.progress(spec, "")) {
            while (System.nanoTime() < end) {
                JsonNode status = status(agent);
                InstallView install = InstallView.of(status);
                String now = json ? status.toString() : line(status, install);
                if (!now.equals(last)) {
                    progress.rest();
                    System.out.println(json ? now : Units.local(Instant.now()) + "  " + now);
                    last = now;
                }
                if (!json && install.isTransfer()) {
                    progress.step(install.version().isEmpty() ? "downloading" : install.version());
                    progress.at(install.bytesDone(), install.bytesTotal());
                }
                Thread.sleep(POLL);
            }
        }
        return 0;
    }

    private static JsonNode status(AgentClient agent) {
        try {
            return agent.status();
        } catch (IOException | RejectedException e) {
            return Json.object().put("state", "no answer");
        }
    }

    /** Whole columns; what changes all the time, such as bytes, is not part of it. */
    static String line(JsonNode status, InstallView install) {
        String state = status.path("state").asText();
        if (state.equals("no answer")) {
            return "the agent does not answer";
        }
        String model = status.has("model")
                ? status.path("model").asText() + "@" + status.path("version").asText()
                : "no model";
        StringBuilder out = new StringBuilder(
                "%-10s serves %-24s".formatted(status.path("connected").asBoolean() ? state : "offline", model));
        if (install.isUnderWay()) {
            // What was refused before this attempt began is no news of it.
            out.append("  ")
                    .append(install.model())
                    .append(' ')
                    .append(install.state())
                    .append(' ')
                    .append(install.version());
        } else if (status.has("lastRejection")) {
            out.append("  refused: ").append(StatusText.coded(status.path("lastRejection")));
        }
        JsonNode waiting = status.path("waiting");
        if (waiting.has("code")) {
            out.append("  waits: ").append(waiting.path("code").asText());
        }
        return Units.printable(out.toString().stripTrailing());
    }
}
