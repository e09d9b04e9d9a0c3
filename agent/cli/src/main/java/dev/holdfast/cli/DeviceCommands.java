package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.AgentClient;
import dev.holdfast.control.ReasonRequest;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Table;
import dev.holdfast.terminal.Terminal;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What a person asks the running agent. */
final class DeviceCommands {
    private DeviceCommands() {}

    /** A question to the agent's control socket, answered as text or as JSON. */
    abstract static class Question extends HoldfastCommand.Configured {
        @Option(names = "--json", description = "print JSON")
        boolean json;

        abstract JsonNode ask(AgentClient agent) throws IOException, RejectedException;

        /** The same answer for people. */
        abstract String text(JsonNode answer, Terminal terminal);

        @Override
        public Integer call() throws IOException, RejectedException {
            JsonNode answer = ask(new AgentClient(sockets().agent()));
            System.out.print(json ? answer + "\n" : text(answer, Program.output(spec)));
            return 0;
        }
    }

    @Command(
            name = "status",
            description = "Shows the device, its connection, its root of trust and its models.",
            footer = {"", "Examples:", "  holdfast status", "  holdfast status --json | jq -r .version"})
    static final class Status extends Question {
        @Override
        JsonNode ask(AgentClient agent) throws IOException, RejectedException {
            return agent.status();
        }

        @Override
        String text(JsonNode answer, Terminal terminal) {
            return new StatusText(terminal, Instant.now()).status(answer);
        }
    }

    @Command(
            name = "slots",
            description = "Shows of each model the release in service and the ones to go back to.",
            footer = {"", "Example:", "  holdfast slots"})
    static final class Slots extends Question {
        @Override
        JsonNode ask(AgentClient agent) throws IOException, RejectedException {
            JsonNode status = agent.status();
            ObjectNode slots = Json.object();
            slots.set("serving", status.get("serving"));
            slots.set("fallback", status.get("fallback"));
            slots.set("models", status.get("models"));
            return slots;
        }

        @Override
        String text(JsonNode answer, Terminal terminal) {
            return new StatusText(terminal, Instant.now()).slots(answer);
        }
    }

    @Command(
            name = "history",
            description = "Shows every step of every install, oldest first, with the reasons of failures.",
            footer = {"", "Examples:", "  holdfast history", "  holdfast history --last 20"})
    static final class History extends Question {
        @Option(names = "--last", paramLabel = "N", description = "only so many of the newest steps (all)")
        int last = Integer.MAX_VALUE;

        @Override
        JsonNode ask(AgentClient agent) throws IOException, RejectedException {
            JsonNode all = agent.history();
            if (all.size() <= last) {
                return all;
            }
            var newest = Json.object().putArray("history");
            for (int i = all.size() - Math.max(0, last); i < all.size(); i++) {
                newest.add(all.path(i));
            }
            return newest;
        }

        @Override
        String text(JsonNode answer, Terminal terminal) {
            Table table = new Table("TIME", ">ORDER", "MODEL", "VERSION", "STATE", "NOTE");
            for (JsonNode line : answer) {
                String note = line.path("note").asText();
                String reason = StatusText.coded(line);
                table.row(
                        local(line.path("at").asText()),
                        line.path("order").asText(),
                        line.path("model").asText(),
                        line.path("version").asText(),
                        InstallView.word(line.path("state").asText()),
                        note + (note.isEmpty() || reason.isEmpty() ? "" : "; ") + reason);
            }
            return table.isEmpty() ? "Nothing was installed yet\n" : table.on(terminal);
        }

        private static String local(String moment) {
            try {
                return Units.local(Instant.parse(moment));
            } catch (DateTimeParseException e) {
                return moment;
            }
        }
    }

    /** What a person asks the agent to do, with the reason that history and report keep. */
    abstract static class Order extends Question {
        @Option(names = "--reason", paramLabel = "TEXT", description = "why, for the history and the fleet (none)")
        String reason = "";

        ReasonRequest why() {
            return new ReasonRequest(reason);
        }
    }

    @Command(
            name = "rollback",
            description = "Goes back to the release of a model before; ends an install of it under way.",
            footer = {
                "",
                "Examples:",
                "  holdfast rollback --reason \"answers in French\"",
                "  holdfast rollback --model chat"
            })
    static final class Rollback extends Order {
        @Option(names = "--model", paramLabel = "MODEL", description = "name of the model (the default one)")
        Optional<String> model = Optional.empty();

        @Override
        JsonNode ask(AgentClient agent) throws IOException, RejectedException {
            return agent.rollback(new ReasonRequest(reason, model));
        }

        @Override
        String text(JsonNode answer, Terminal terminal) {
            return outcome(answer);
        }
    }

    /** How an install or a rollback ended, in a line for each model. */
    static String outcome(JsonNode answer) {
        StringBuilder lines = new StringBuilder();
        for (JsonNode one : answer.has("models")
                ? answer.path("models")
                : Json.object().putArray("one").add(answer)) {
            String outcome = one.path("outcome").asText();
            lines.append(Units.printable(
                            outcome.equals("rolled-back")
                                    ? "rolled back from " + one.path("from").asText()
                                    : one.path("model").asText() + " " + outcome))
                    .append('\n');
        }
        return lines.isEmpty() ? answer.path("outcome").asText() + "\n" : lines.toString();
    }

    @Command(
            name = "pause",
            description = "Stops updates until resume, across restarts. What serves goes on serving.",
            footer = {"", "Example:", "  holdfast pause --reason \"at sea\""})
    static final class Pause extends Order {
        @Override
        JsonNode ask(AgentClient agent) throws IOException, RejectedException {
            return agent.pause(why());
        }

        @Override
        String text(JsonNode answer, Terminal terminal) {
            return "updates are paused until: holdfast resume\n";
        }
    }

    @Command(
            name = "resume",
            description = "Takes updates again.",
            footer = {"", "Example:", "  holdfast resume --reason \"in port\""})
    static final class Resume extends Order {
        @Override
        JsonNode ask(AgentClient agent) throws IOException, RejectedException {
            return agent.resume(why());
        }

        @Override
        String text(JsonNode answer, Terminal terminal) {
            return "updates go on\n";
        }
    }
}
