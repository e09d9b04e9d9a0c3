package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.agent.Doctor.Outcome;
import dev.holdfast.link.BrokerAddress;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/** What {@link Doctor} finds out about broker and fleet: by the agent's status, and by a connection where no agent answers. */
final class BrokerChecks {
    private static final Duration QUICK = Duration.ofSeconds(5);
    /** A takeover that is older is over. */
    private static final Duration TAKEOVER_COUNTS = Duration.ofHours(1);

    private final AgentConfig config;
    private final Doctor.Checks checks;

    BrokerChecks(AgentConfig config, Doctor.Checks checks) {
        this.config = config;
        this.checks = checks;
    }

    void run(Optional<JsonNode> status) {
        if (status.isPresent()) {
            boolean connected = status.get().path("connected").asBoolean();
            checks.add(
                    "fleet",
                    "broker",
                    connected ? Outcome.PASS : Outcome.FAIL,
                    (connected ? "connected to " : "not connected to ")
                            + config.broker().address()
                            + (connected ? "" : lost(status.get())),
                    fix(status.get(), "check network, firewall and broker; the device serves on meanwhile"));
            takenOver(status.get());
            JsonNode waiting = status.get().path("waiting");
            if (waiting.isObject()) {
                checks.add(
                        "fleet",
                        "what comes next",
                        Outcome.PASS,
                        waiting.path("for").asText() + ", at "
                                + waiting.path("until").asText() + " at the latest",
                        "");
            }
            enrolment(status.get());
            CertificateFinding of = CertificateFinding.of(status.get().path("certificate"));
            checks.add(
                    "fleet",
                    "certificate",
                    of.outcome(config.broker().usesTheTee()),
                    of.detail(),
                    CertificateFinding.FIX);
            return;
        }
        BrokerAddress broker = config.broker().address();
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(broker.host(), broker.port()), (int) QUICK.toMillis());
            checks.add("fleet", "broker", Outcome.PASS, broker + " takes connections", "");
        } catch (IOException e) {
            checks.add("fleet", "broker", Outcome.FAIL, broker + ": " + e.getMessage(), "check network and broker");
        }
    }

    private void enrolment(JsonNode status) {
        boolean enrolled = status.path("enrolled").asBoolean();
        JsonNode enrolment = status.path("enrolment");
        boolean pending = enrolment.path("state").asText().equals("pending");
        checks.add(
                "fleet",
                "enrolment",
                enrolled && !pending ? Outcome.PASS : Outcome.WARN,
                pending
                        ? "somebody has to let this device in; its key is "
                                + enrolment.path("endorsement").asText()
                        : enrolled ? "the fleet knows this device's keys" : "not enrolled since the agent's start",
                pending
                        ? "there: fleet devices accept " + status.path("device").asText()
                        : "see the fleet service's log for a refusal");
        String token = enrolment.path("token").asText();
        if (token.startsWith(Code.CFG_INVALID.id()) && !enrolled) {
            checks.add(
                    "fleet",
                    "enrolment token",
                    Outcome.WARN,
                    token,
                    "write the fleet's token there, or take enrolment-token-file out of the configuration");
        }
    }

    private static String lost(JsonNode status) {
        JsonNode link = status.path("link");
        String code = link.at("/lost/code").asText();
        return (code.isEmpty()
                        ? ""
                        : ", " + code + ": " + link.at("/lost/detail").asText())
                + (link.has("nextAttempt")
                        ? "; next attempt at " + link.path("nextAttempt").asText()
                        : "");
    }

    private static String fix(JsonNode status, String otherwise) {
        return Code.byId(status.at("/link/lost/code").asText())
                .map(code -> "holdfast explain " + code.id() + "; the device serves on meanwhile")
                .orElse(otherwise);
    }

    private void takenOver(JsonNode status) {
        JsonNode link = status.path("link");
        if (link.has("takenOver")) {
            boolean lately = Instant.parse(link.path("takenOver").asText())
                    .isAfter(Instant.now().minus(TAKEOVER_COUNTS));
            checks.add(
                    "fleet",
                    "session",
                    lately ? Outcome.FAIL : Outcome.WARN,
                    Code.LNK_TAKEN_OVER.id() + ": " + link.path("takeovers").asLong()
                            + " times since the agent's start, last at "
                            + link.path("takenOver").asText(),
                    "holdfast explain " + Code.LNK_TAKEN_OVER.id());
        }
    }
}
