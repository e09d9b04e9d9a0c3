package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.updater.InferenceControl;
import dev.holdfast.updater.Slot;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The inference process's control socket, as the installer sees it. */
final class InferenceClient implements InferenceControl {
    private static final Duration QUICK = Duration.ofSeconds(10);
    /** Loading and gating a large model takes minutes on a small device. */
    private static final Duration LOAD = Duration.ofMinutes(15);

    private final UnixHttp http;
    private final Path socket;

    InferenceClient(UnixHttp http, Path socket) {
        this.http = http;
        this.socket = socket;
    }

    @Override
    public Status status() throws IOException {
        JsonNode body = expect(http.get(socket, "/control/v1/status", QUICK));
        return new Status(
                digest(body.path("serving")),
                digest(body.path("candidate")),
                body.path("startedAtMillis").asLong(),
                body.path("pid").asLong());
    }

    @Override
    public GateReport prepare(Slot slot) throws IOException {
        UnixHttp.Reply reply = http.post(socket, "/control/v1/candidate", slot.toJson(), LOAD);
        List<Check> checks = new ArrayList<>();
        for (JsonNode check : reply.body().path("checks")) {
            checks.add(new Check(
                    check.path("name").asText(),
                    check.path("passed").asBoolean(),
                    check.path("detail").asText()));
        }
        boolean passed = reply.status() == 200 && reply.body().path("passed").asBoolean();
        return new GateReport(
                passed ? Optional.empty() : Optional.of(reason(reply, Code.GATE_LOAD)),
                reply.body().path("loadMillis").asLong(),
                checks);
    }

    @Override
    public List<String> recentLog() throws IOException {
        List<String> lines = new ArrayList<>();
        for (JsonNode line : expect(http.get(socket, "/control/v1/log", QUICK)).path("lines")) {
            lines.add(line.asText());
        }
        return lines;
    }

    @Override
    public Verdict<FlipReport> flip(Sha256 digest) throws IOException {
        UnixHttp.Reply reply =
                http.post(socket, "/control/v1/flip", Json.object().put("digest", digest.hex()), QUICK);
        if (reply.status() != 200) {
            return new Verdict.Rejected<>(reason(reply, Code.INS_CANDIDATE_LOST));
        }
        String previous = reply.body().path("previous").asText("");
        return Verdict.accepted(new FlipReport(reply.body().path("pauseMicros").asLong(), parse(previous)));
    }

    @Override
    public void discard(Sha256 digest) throws IOException {
        expect(http.post(socket, "/control/v1/discard", Json.object().put("digest", digest.hex()), QUICK));
    }

    private static JsonNode expect(UnixHttp.Reply reply) throws IOException {
        if (reply.status() != 200) {
            throw new IOException(reply.body().path("code").asText("?") + ": "
                    + reply.body().path("detail").asText());
        }
        return reply.body();
    }

    private static Rejection reason(UnixHttp.Reply reply, Code otherwise) {
        Code code = Code.byId(reply.body().path("code").asText()).orElse(otherwise);
        return new Rejection(code, reply.body().path("detail").asText("HTTP " + reply.status()));
    }

    private static Optional<Sha256> digest(JsonNode model) {
        return parse(model.path("digest").asText(""));
    }

    private static Optional<Sha256> parse(String hex) {
        return Sha256.fromHex(hex) instanceof Verdict.Accepted<Sha256>(Sha256 value)
                ? Optional.of(value)
                : Optional.empty();
    }
}
