package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.InferencePaths;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Refusal;
import dev.holdfast.control.UnixHttpClient;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code holdfast ps}: what serves. Any user of the applications' socket sees the models; requests and memory are known to the
 * inference control socket, which answers its own user and root alone.
 */
@Command(
        name = "ps",
        description = "Shows the models in service; to root and the daemon's user also requests and memory.")
final class PsCommand extends HoldfastCommand.OnSocket {
    private static final Duration QUICK = Duration.ofSeconds(10);
    private static final UnixHttpClient.Bounds BOUNDS = new UnixHttpClient.Bounds(256 * 1024, QUICK);
    private static final long MIB = 1 << 20;

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
        System.out.print(TerminalText.forStdout(json ? told + "\n" : table(told)));
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

    private static String table(ObjectNode told) {
        StringBuilder out = new StringBuilder(
                "%-24s %-12s %-8s %-24s %s%n".formatted("MODEL", "VERSION", "DEFAULT", "FINGERPRINT", "SLOT"));
        for (JsonNode model : told.path("models")) {
            String slot = model.path("slot").asText("-");
            out.append("%-24s %-12s %-8s %-24s %s%s%n"
                    .formatted(
                            model.path("model").asText(),
                            model.path("version").asText(),
                            model.path("default").asBoolean() ? "*" : "",
                            model.path("fingerprint").asText(),
                            slot.substring(0, Math.min(16, slot.length())),
                            (model.has("until")
                                            ? "  until " + model.path("until").asText()
                                            : "")
                                    + (model.path("attested").asBoolean() ? "" : "  unattested")));
        }
        if (told.path("models").isEmpty()) {
            out.append("no model is in service\n");
        }
        out.append("\nsince     ").append(told.path("since").asText("unknown")).append('\n');
        if (told.has("memory")) {
            out.append("requests  ")
                    .append(told.path("requestsRunning").asInt())
                    .append(" running\n");
            out.append("memory    ")
                    .append(told.path("memory").path("usedBytes").asLong() / MIB)
                    .append(" of ")
                    .append(told.path("memory").path("budgetBytes").asLong() / MIB)
                    .append(" MiB\n");
        } else {
            out.append("requests and memory are told to root and the daemon's user\n");
        }
        return out.toString();
    }
}
