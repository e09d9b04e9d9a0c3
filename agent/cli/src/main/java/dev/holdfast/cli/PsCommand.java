package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.InferencePaths;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Refusal;
import dev.holdfast.control.UnixHttpClient;
import dev.holdfast.terminal.Page;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Table;
import dev.holdfast.terminal.Terminal;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code holdfast ps}: what serves. Any user of the applications' socket sees the models; requests and memory are known to the
 * inference control socket, which answers its own user and root alone.
 */
@Command(
        name = "ps",
        description = "Shows the models in service; to root and the daemon's user also requests and memory.",
        footer = {"", "Examples:", "  holdfast ps", "  holdfast ps --json | jq -r '.models[].model'"})
final class PsCommand extends HoldfastCommand.OnSocket {
    private static final Duration QUICK = Duration.ofSeconds(10);
    private static final UnixHttpClient.Bounds BOUNDS = new UnixHttpClient.Bounds(256 * 1024, QUICK);

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Override
    public Integer call() throws Exception {
        Path api = inference();
        UnixHttpClient.Reply models = new UnixHttpClient(api).get(InferencePaths.MODELS, BOUNDS);
        if (models.status() != 200) {
            throw new RejectedException(Refusal.read(models.body(), Code.API_INTERNAL));
        }
        ObjectNode told = told(models.body(), status(control(api)));
        System.out.print(json ? told + "\n" : text(told, Program.output(spec)));
        return 0;
    }

    /** Beside a socket that was named; else where the configuration file says. */
    private Path control(Path api) throws RejectedException {
        if (!isNamed()) {
            return sockets().inferenceControl();
        }
        String name = String.valueOf(api.getFileName());
        return api.resolveSibling(
                name.endsWith(".sock")
                        ? name.substring(0, name.length() - ".sock".length()) + "-control.sock"
                        : name + "-control");
    }

    private static Optional<InferenceStatus> status(Path control) {
        try {
            return Optional.of(new InferenceClient(control, InferenceClient.Deadlines.PROMPT).status());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static ObjectNode told(JsonNode listed, Optional<InferenceStatus> status) {
        ObjectNode told = Json.object();
        ArrayNode models = told.putArray("models");
        for (JsonNode one : listed.path("data")) {
            String id = one.path("id").asText();
            int at = id.indexOf('@');
            if (at > 0) {
                ObjectNode model = models.addObject()
                        .put("model", id.substring(0, at))
                        .put("version", id.substring(at + 1))
                        .put("default", one.path("default").asBoolean())
                        .put("fingerprint", one.path("system_fingerprint").asText())
                        .put("attested", one.path("attested").asBoolean(true));
                if (one.has("until")) {
                    model.put(
                            "until",
                            Instant.ofEpochSecond(one.path("until").asLong()).toString());
                }
                status.flatMap(known -> loaded(known, model))
                        .ifPresent(loaded -> model.put("slot", loaded.slot().hex()));
            }
        }
        long created = listed.path("data").path(0).path("created").asLong();
        if (created > 0) {
            told.put("since", Instant.ofEpochSecond(created).toString());
        }
        status.ifPresent(known -> {
            told.put(
                    "since",
                    Instant.ofEpochMilli(known.process().startedAtMillis()).toString());
            told.put("pid", known.process().pid());
            told.put("requestsRunning", known.requestsActive());
            told.put("candidates", known.candidates().size()).put("draining", known.draining());
            told.putObject("memory")
                    .put("usedBytes", known.memory().usedBytes())
                    .put("budgetBytes", known.memory().budgetBytes());
        });
        return told;
    }

    /** What is loaded of a model that is listed: in service, or an older release in its grace. */
    private static Optional<InferenceStatus.Loaded> loaded(InferenceStatus status, ObjectNode model) {
        return (model.has("until") ? status.grace() : status.serving())
                .stream()
                        .filter(one -> one.model().equals(model.path("model").asText())
                                && one.version().equals(model.path("version").asText()))
                        .findFirst();
    }

    private static String text(ObjectNode told, Terminal terminal) {
        Instant now = Instant.now();
        Table table = new Table("MODEL", "VERSION", "FINGERPRINT", "SLOT", "NOTE");
        for (JsonNode model : told.path("models")) {
            List<String> notes = new ArrayList<>();
            if (model.path("default").asBoolean()) {
                notes.add("default");
            }
            if (model.has("until")) {
                notes.add("until " + Units.time(model.path("until").asText(), now));
            }
            if (!model.path("attested").asBoolean()) {
                notes.add("unattested");
            }
            table.row(
                    model.path("model").asText(),
                    model.path("version").asText(),
                    model.path("fingerprint").asText(),
                    Units.digest(model.path("slot").asText("-")),
                    String.join(", ", notes));
        }
        Page page = new Page(terminal).section("Inference");
        page.line("since", told.has("since") ? Units.time(told.path("since").asText(), now) : "unknown");
        if (told.has("memory")) {
            page.line("requests", told.path("requestsRunning").asInt() + " running")
                    .line(
                            "memory",
                            Units.bytes(told.at("/memory/usedBytes").asLong()) + " of "
                                    + Units.bytes(told.at("/memory/budgetBytes").asLong()));
        } else {
            page.line("requests", "requests and memory are told to root and the daemon's user");
        }
        return (table.isEmpty() ? "no model is in service\n" : table.on(terminal)) + "\n" + page;
    }
}
