package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.AgentClient;
import dev.holdfast.control.ReasonRequest;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What a person asks the running daemons. */
final class DeviceCommands {
    private DeviceCommands() {}

    /** A question to the agent's control socket, shown as text or JSON. */
    abstract static class Question extends HoldfastCommand.Configured {
        @Option(names = "--json", description = "print JSON")
        boolean json;

        abstract JsonNode ask(AgentClient agent) throws IOException, RejectedException;

        @Override
        public Integer call() throws IOException, RejectedException {
            JsonNode answer = ask(new AgentClient(sockets().agent()));
            System.out.println(json ? answer.toString() : Json.pretty(answer));
            return 0;
        }
    }

    @Command(name = "status", description = "Shows model, connection and root of trust.")
    static final class Status extends Question {
        @Override
        JsonNode ask(AgentClient agent) throws IOException, RejectedException {
            return agent.status();
        }
    }

    @Command(name = "slots", description = "Shows of each model the serving release and the one to fall back to.")
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
    }

    @Command(name = "history", description = "Shows every step of every install, with the reasons of failures.")
    static final class History extends Question {
        @Override
        JsonNode ask(AgentClient agent) throws IOException, RejectedException {
            return agent.history();
        }
    }

    /** What a person asks the agent to do, with the reason that history and report keep. */
    abstract static class Order extends Question {
        @Option(names = "--reason", description = "why, for the history and the fleet")
        String reason = "";

        ReasonRequest why() {
            return new ReasonRequest(reason);
        }
    }

    @Command(
            name = "rollback",
            description = "Goes back to the release of a model before; ends an install of it under way.")
    static final class Rollback extends Order {
        @Option(names = "--model", description = "name of the model; the default one where not given")
        Optional<String> model = Optional.empty();

        @Override
        JsonNode ask(AgentClient agent) throws IOException, RejectedException {
            return agent.rollback(new ReasonRequest(reason, model));
        }
    }

    @Command(name = "pause", description = "Stops updates until resume, across restarts.")
    static final class Pause extends Order {
        @Override
        JsonNode ask(AgentClient agent) throws IOException, RejectedException {
            return agent.pause(why());
        }
    }

    @Command(name = "resume", description = "Takes updates again.")
    static final class Resume extends Order {
        @Override
        JsonNode ask(AgentClient agent) throws IOException, RejectedException {
            return agent.resume(why());
        }
    }

    @Command(name = "watch", description = "Follows what the agent does, a line for each change, until interrupted.")
    static final class Watch extends HoldfastCommand.Configured {
        private static final Duration POLL = Duration.ofMillis(500);

        @Option(names = "--json", description = "print the status as a line of JSON for each change")
        boolean json;

        @Option(names = "--seconds", description = "end after so many seconds", defaultValue = "2147483647")
        int seconds = Integer.MAX_VALUE;

        @Override
        public Integer call() throws RejectedException, InterruptedException {
            AgentClient agent = new AgentClient(sockets().agent());
            long end = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
            String last = "";
            while (System.nanoTime() < end) {
                String now = line(agent);
                if (!now.equals(last)) {
                    System.out.println(json ? now : Instant.now().truncatedTo(ChronoUnit.SECONDS) + "  " + now);
                    last = now;
                }
                Thread.sleep(POLL);
            }
            return 0;
        }

        private String line(AgentClient agent) {
            try {
                JsonNode status = agent.status();
                return json ? status.toString() : line(status);
            } catch (IOException | RejectedException e) {
                return json ? Json.object().put("state", "no answer").toString() : "the agent does not answer";
            }
        }

        /** Whole columns, and progress in steps of whole percents, so that nothing jitters. */
        private static String line(JsonNode status) {
            String model = status.has("model")
                    ? status.path("model").asText() + "@"
                            + status.path("version").asText()
                    : "no model";
            String state =
                    status.path("connected").asBoolean() ? status.path("state").asText() : "offline";
            StringBuilder out = new StringBuilder("%-10s serves %-24s".formatted(state, model));
            JsonNode install = status.path("install");
            int total = install.path("blocksTotal").asInt();
            if (total > 0) {
                out.append("  %-14s %3d %%"
                        .formatted(
                                install.path("state").asText(),
                                100 * install.path("blocksDone").asInt() / total));
            }
            JsonNode rejection = status.path("lastRejection");
            if (!rejection.isMissingNode()) {
                out.append("  ").append(rejection.path("code").asText());
            }
            JsonNode waiting = status.path("waiting");
            if (!waiting.isMissingNode()) {
                out.append("  until ").append(waiting.path("until").asText());
            }
            return out.toString().stripTrailing();
        }
    }
}
