package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.terminal.Page;
import dev.holdfast.terminal.Table;
import dev.holdfast.terminal.Terminal;
import dev.holdfast.terminal.Units;
import java.time.Instant;
import java.util.Locale;

/** What {@code holdfast status} and {@code slots} say, laid out for people from the agent's own JSON. */
final class StatusText {
    private final Terminal terminal;
    private final Instant now;

    StatusText(Terminal terminal, Instant now) {
        this.terminal = terminal;
        this.now = now;
    }

    String status(JsonNode status) {
        Page page = new Page(terminal);
        device(page, status);
        JsonNode tee = status.path("tee");
        boolean isHardware = tee.path("assurance").asText().equals("HARDWARE");
        page.section("Root of trust")
                .line("kind", tee.path("kind").asText().toLowerCase(Locale.ROOT))
                .line(
                        "assurance",
                        tee.path("assurance").asText().toLowerCase(Locale.ROOT),
                        isHardware ? Page.Mark.GOOD : Page.Mark.DOUBTFUL)
                .line("detail", tee.path("detail").asText());
        if (status.path("models").isEmpty()) {
            page.section("Models")
                    .line("in service", "none yet; the fleet orders one: fleet desire", Page.Mark.DOUBTFUL);
        }
        for (JsonNode model : status.path("models")) {
            model(page, model);
        }
        JsonNode memory = status.path("memory");
        if (memory.has("budgetBytes")) {
            page.section("Memory")
                    .line(
                            "models need",
                            Units.bytes(memory.path("neededBytes").asLong()) + " of "
                                    + Units.bytes(memory.path("budgetBytes").asLong()));
        }
        return page.toString();
    }

    private void device(Page page, JsonNode status) {
        page.section("Device")
                .line("name", status.path("device").asText())
                .line("fleet", status.path("fleet").asText())
                .line("agent", status.path("agent").asText())
                .line("state", status.path("state").asText());
        boolean connected = status.path("connected").asBoolean();
        JsonNode link = status.path("link");
        page.line(
                "broker",
                connected ? "connected" : "not connected" + lead("; ", coded(link.path("lost"))),
                connected ? Page.Mark.GOOD : Page.Mark.DOUBTFUL);
        page.line("next attempt", connected ? "" : moment(link, "nextAttempt"));
        page.line("taken over", moment(link, "takenOver"), Page.Mark.DOUBTFUL);
        boolean enrolled = status.path("enrolled").asBoolean();
        JsonNode enrolment = status.path("enrolment");
        boolean pending = enrolment.path("state").asText().equals("pending");
        page.line(
                "enrolled",
                pending
                        ? "waits to be let in, there by: fleet devices accept "
                                + status.path("device").asText()
                        : enrolled ? "yes" : "not yet known to the fleet",
                enrolled && !pending ? Page.Mark.GOOD : Page.Mark.DOUBTFUL);
        page.line("key", enrolment.path("endorsement").asText());
        boolean paused = status.path("paused").asBoolean();
        JsonNode pause = status.path("pause");
        page.line(
                "updates",
                paused
                        ? "paused by hand since " + moment(pause, "at")
                                + lead(": ", pause.path("reason").asText()) + "; go on by: holdfast resume"
                        : "on",
                paused ? Page.Mark.DOUBTFUL : Page.Mark.NONE);
        page.line("certificate", certificate(status.path("certificate")));
        page.line("refused", pending ? "" : coded(status.path("lastRejection")), Page.Mark.BAD);
        page.line("waits for", waiting(status.path("waiting")));
    }

    private String certificate(JsonNode certificate) {
        String until = moment(certificate, "until");
        return certificate.path("state").asText() + lead(" until ", until);
    }

    private void model(Page page, JsonNode model) {
        page.section(
                "Model " + model.path("model").asText() + (model.path("default").asBoolean() ? " (default)" : ""));
        if (model.has("version")) {
            page.line(
                    "serves",
                    model.path("version").asText() + ", release "
                            + model.path("release").asText() + ", epoch "
                            + model.path("epoch").asText(),
                    Page.Mark.GOOD);
            page.line("slot", Units.digest(model.path("slot").asText()))
                    .line("digest", Units.digest(model.path("digest").asText()));
        } else {
            page.line("serves", "nothing yet", Page.Mark.DOUBTFUL);
        }
        page.line("falls back to", model.at("/fallback/version").asText());
        for (JsonNode older : model.path("grace")) {
            page.line(
                    "still answers",
                    older.path("version").asText() + " until " + moment(older, "until")
                            + lead("; not served: ", coded(older)));
        }
        InstallView install = InstallView.of(model);
        page.line(
                "state",
                install.isUnderWay() ? install.words() : model.path("state").asText());
        // What was refused before this attempt began is no news of it.
        page.line("refused", install.isUnderWay() ? "" : coded(model.path("lastRejection")), Page.Mark.BAD);
        page.line("waits for", waiting(model.path("waiting")));
        JsonNode failure = model.path("lastFailure");
        if (!failure.isMissingNode()) {
            page.line(
                    "last failure",
                    failure.path("version").asText() + " "
                            + InstallView.word(failure.path("state").asText())
                            + lead(", ", failure.path("code").asText()) + ", " + moment(failure, "at"));
        }
    }

    /** The slots of each model, as {@code rauc status} shows them. */
    String slots(JsonNode slots) {
        Table table = new Table("MODEL", "ROLE", "VERSION", "SLOT", "DIGEST", "NOTE");
        for (JsonNode model : slots.path("models")) {
            String name = model.path("model").asText();
            if (model.has("version")) {
                table.row(
                        name,
                        "serves",
                        model.path("version").asText(),
                        Units.digest(model.path("slot").asText()),
                        Units.digest(model.path("digest").asText()),
                        model.path("default").asBoolean() ? "default" : "");
            }
            if (model.path("fallback").isObject()) {
                slot(table, name, "fallback", model.path("fallback"), "");
            }
            for (JsonNode older : model.path("grace")) {
                slot(
                        table,
                        name,
                        "grace",
                        older,
                        "until " + moment(older, "until") + lead("; not served: ", coded(older)));
            }
        }
        return table.isEmpty()
                ? "No model is in service yet; the fleet orders one: fleet desire\n"
                : table.on(terminal);
    }

    private static void slot(Table table, String model, String role, JsonNode slot, String note) {
        table.row(
                model,
                role,
                slot.path("version").asText(),
                Units.digest(slot.path("slot").asText()),
                Units.digest(slot.path("digest").asText()),
                note);
    }

    private String waiting(JsonNode waiting) {
        if (waiting.isMissingNode()) {
            return "";
        }
        String what = waiting.has("for") ? waiting.path("for").asText() : coded(waiting);
        return what + lead(", ", moment(waiting, "until"));
    }

    private String moment(JsonNode node, String name) {
        return node.has(name) ? Units.time(node.path(name).asText(), now) : "";
    }

    /** A code with its detail; empty where there is none. */
    static String coded(JsonNode node) {
        return node.path("code").asText() + lead(": ", node.path("detail").asText());
    }

    private static String lead(String lead, String text) {
        return text.isEmpty() ? "" : lead + text;
    }
}
