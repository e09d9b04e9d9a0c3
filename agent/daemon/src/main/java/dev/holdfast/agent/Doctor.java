package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.AgentPaths;
import dev.holdfast.control.InferencePaths;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.UnixHttpClient;
import dev.holdfast.terminal.Terminal;
import dev.holdfast.terminal.Units;
import dev.holdfast.updater.ModelStore;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What {@code holdfast doctor} finds, section by section: each check with its outcome, a reason, and what to do where it does
 * not hold. It only looks: the TEE is opened by itself only where no agent answers, since a TPM socket takes one client.
 */
final class Doctor {
    private static final Duration QUICK = Duration.ofSeconds(5);
    private static final long LOW_DISK_BYTES = 512L << 20;
    /** Less than this does not take a journal's line and a record of the trust client for long. */
    private static final long NO_DISK_BYTES = 1 << 20;

    /** How a check came out. */
    enum Outcome {
        PASS,
        WARN,
        FAIL
    }

    /**
     * One check.
     *
     * @param section what it belongs to
     * @param name what was looked at
     * @param outcome how it came out
     * @param detail what was found
     * @param fix what to do; empty where nothing is to be done
     */
    record Check(String section, String name, Outcome outcome, String detail, String fix) {
        Check {
            fix = outcome == Outcome.PASS ? "" : fix;
        }
    }

    /** Takes a check: section, name, outcome, what was found, and what to do. */
    @FunctionalInterface
    interface Checks {
        void add(String section, String name, Outcome outcome, String detail, String fix);
    }

    private final AgentConfig config;
    private final List<Check> checks = new ArrayList<>();

    private Doctor(AgentConfig config) {
        this.config = config;
    }

    static Doctor of(AgentConfig config) {
        Doctor doctor = new Doctor(config);
        Optional<JsonNode> status = ask(config.sockets().agent(), AgentPaths.STATUS);
        doctor.processes(status);
        new RootOfTrustChecks(config, doctor.checks::add).run(status);
        new BrokerChecks(config, doctor::check).run(status);
        doctor.store();
        status.ifPresent(doctor::atRest);
        status.ifPresent(doctor::grace);
        return doctor;
    }

    static Optional<JsonNode> ask(Path socket, String path) {
        try {
            UnixHttpClient.Reply reply = new UnixHttpClient(socket).get(path, QUICK);
            return reply.status() == 200 ? Optional.of(reply.body()) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Whatever is answered: a process that has no model yet answers so, with 503. */
    private static Optional<JsonNode> hear(Path socket, String path) {
        try {
            return Optional.of(new UnixHttpClient(socket).get(path, QUICK).body());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private void processes(Optional<JsonNode> status) {
        check(
                "processes",
                "agent",
                status.isPresent() ? Outcome.PASS : Outcome.FAIL,
                status.map(s -> "answers, state " + s.path("state").asText())
                        .orElse("no answer on " + config.sockets().agent()),
                "systemctl start holdfast, then journalctl -u holdfast");
        Optional<JsonNode> health = hear(config.sockets().inference(), InferencePaths.HEALTH);
        boolean model = health.map(h -> h.path("status").asText().equals("ok")).orElse(false);
        check(
                "processes",
                "inference",
                model ? Outcome.PASS : health.isPresent() ? Outcome.WARN : Outcome.FAIL,
                health.map(h -> model ? "serves " + h.path("model").asText() : "runs, but has no model")
                        .orElse("no answer on " + config.sockets().inference()),
                health.isPresent()
                        ? "order a model for this device: fleet desire"
                        : "systemctl start holdfast-inference, then journalctl -u holdfast-inference");
        status.ifPresent(s -> {
            // What was refused before an attempt that is under way is no news of it.
            JsonNode rejection =
                    s.path("state").asText().equals("installing") ? s.path("nothing") : s.path("lastRejection");
            check(
                    "processes",
                    "last update",
                    rejection.isMissingNode() ? Outcome.PASS : Outcome.WARN,
                    rejection.isMissingNode()
                            ? "nothing was rejected"
                            : rejection.path("code").asText() + ": "
                                    + rejection.path("detail").asText(),
                    "holdfast explain " + rejection.path("code").asText());
            if (s.path("paused").asBoolean()) {
                check("processes", "updates", Outcome.WARN, "paused by hand", "holdfast resume");
            }
        });
    }

    /** Older releases that programs may still ask for. */
    private void grace(JsonNode status) {
        for (JsonNode model : status.path("models")) {
            for (JsonNode release : model.path("grace")) {
                if (release.has("code")) {
                    check(
                            "processes",
                            "release in its grace",
                            Outcome.WARN,
                            ModelName.id(
                                            model.path("model").asText(),
                                            release.path("version").asText())
                                    + " is not served: " + release.path("code").asText() + ", "
                                    + release.path("detail").asText(),
                            "holdfast explain " + release.path("code").asText());
                }
            }
        }
    }

    private void atRest(JsonNode status) {
        for (JsonNode model : status.at("/scrub/models")) {
            String finding = model.path("finding").asText();
            check(
                    "store",
                    "models at rest",
                    finding.equals("SOUND") || finding.equals("HEALED") ? Outcome.PASS : Outcome.WARN,
                    model.path("model").asText() + "@" + model.path("version").asText() + " "
                            + finding.toLowerCase(java.util.Locale.ROOT) + " "
                            + model.path("detail").asText(),
                    "the disk may be failing: see smartctl -a, and publish the model again where it is not listed");
        }
    }

    private void store() {
        Path folder = config.storeDir();
        if (!Files.isDirectory(folder)) {
            check(
                    "store",
                    "folder",
                    Outcome.WARN,
                    folder + " does not exist yet",
                    "the agent makes it at its first start");
            return;
        }
        long free = folder.toFile().getUsableSpace();
        check(
                "store",
                "disk",
                free >= LOW_DISK_BYTES ? Outcome.PASS : free >= NO_DISK_BYTES ? Outcome.WARN : Outcome.FAIL,
                "%,d MiB free".formatted(free >> 20) + (free < NO_DISK_BYTES ? ": " + Code.INS_DISK.id() : ""),
                "free some space: an update needs room for the new model beside the old. The agent goes on by itself");
        try {
            ModelStore store = ModelStore.openReadOnly(folder);
            Optional<Pointer> pointer = store.stored();
            if (pointer.isEmpty()) {
                check(
                        "store",
                        "pointer",
                        Outcome.FAIL,
                        Pointer.FILE_NAME + " does not read",
                        "restart the agent: it writes it anew from what is sound");
                return;
            }
            if (pointer.get().models().isEmpty()) {
                check(
                        "store",
                        "serving model",
                        Outcome.WARN,
                        "none yet",
                        "order a model for this device: fleet desire");
            }
            for (PointerEntry entry : pointer.get().models().values()) {
                boolean sound = store.verifies(entry.serving());
                check(
                        "store",
                        "serving model",
                        sound ? Outcome.PASS : Outcome.FAIL,
                        entry.serving() + (sound ? ", its bytes hash right" : ", its bytes are damaged"),
                        "restart the agent: it goes back to the release before, and fetches this one again");
                entry.fallback()
                        .ifPresent(
                                slot -> check("store", "release to fall back to", Outcome.PASS, slot.toString(), ""));
                for (Pointer.Grace each : entry.grace()) {
                    boolean here = store.has(each.slot().digest());
                    check(
                            "store",
                            "release in its grace",
                            here ? Outcome.PASS : Outcome.WARN,
                            each.slot() + " until " + each.until() + (here ? "" : ", its file is gone"),
                            "restart the agent: it serves what is whole");
                }
            }
        } catch (IOException e) {
            check("store", "folder", Outcome.FAIL, String.valueOf(e.getMessage()), "check the rights on " + folder);
        }
    }

    private void check(String section, String name, Outcome outcome, String detail, String fix) {
        checks.add(new Check(section, name, outcome, detail, fix));
    }

    boolean isHealthy() {
        return checks.stream().noneMatch(check -> check.outcome() == Outcome.FAIL);
    }

    ObjectNode json() {
        ObjectNode node = Json.object().put("healthy", isHealthy());
        ArrayNode list = node.putArray("checks");
        for (Check check : checks) {
            list.addObject()
                    .put("section", check.section())
                    .put("name", check.name())
                    .put("outcome", check.outcome().name().toLowerCase(java.util.Locale.ROOT))
                    .put("detail", check.detail())
                    .put("fix", check.fix());
        }
        return node;
    }

    String text() {
        return text(Terminal.PLAIN);
    }

    String text(Terminal terminal) {
        Instant now = Instant.now();
        StringBuilder out = new StringBuilder();
        String section = "";
        for (Check check : checks) {
            if (!check.section().equals(section)) {
                section = check.section();
                out.append(out.isEmpty() ? "" : "\n")
                        .append(terminal.bold(section))
                        .append('\n');
            }
            String mark = switch (check.outcome()) {
                case PASS -> terminal.good("ok  ");
                case WARN -> terminal.doubtful("warn");
                case FAIL -> terminal.bad("FAIL");
            };
            out.append("  %s  %-22s %s%n"
                    .formatted(
                            mark,
                            check.name(),
                            Units.printable(
                                    terminal.isTerminal() ? Units.plain(check.detail(), now) : check.detail())));
            if (!check.fix().isEmpty()) {
                out.append("        %-22s -> %s%n".formatted("", check.fix()));
            }
        }
        return out.append(isHealthy() ? "\nNothing is broken.\n" : "\nSomething is broken; see FAIL above.\n")
                .toString();
    }
}
