package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The inference process's control socket, from the agent's side. What comes from it is hostile until read. Thread-safe. */
public final class InferenceClient implements InferenceControl {
    private static final Duration QUICK = Duration.ofSeconds(10);
    /** Loading and gating a large model takes minutes on a small device. */
    private static final Duration LOAD = Duration.ofMinutes(15);
    /** Longer than the process lets the question wait. */
    private static final Duration WAIT = Duration.ofSeconds(40);

    private final UnixHttpClient http;

    public InferenceClient(Path socket) {
        http = new UnixHttpClient(socket);
    }

    @Override
    public InferenceStatus status() throws IOException {
        return read(InferenceStatus.read(expect(http.get(InferencePaths.STATUS, QUICK))));
    }

    @Override
    public GateReport prepare(Slot slot) throws IOException {
        UnixHttpClient.Reply reply = http.post(InferencePaths.CANDIDATE, slot.toJson(), LOAD);
        return GateReport.read(reply.body()) instanceof Verdict.Accepted<GateReport>(GateReport report)
                        && (reply.status() == 200 || !report.passed())
                ? report
                : new GateReport(Optional.of(refusal(reply, Code.GATE_LOAD)), 0, List.of());
    }

    @Override
    public Verdict<Flip> flip(SlotId slot) throws IOException {
        UnixHttpClient.Reply reply = http.post(InferencePaths.FLIP, new SlotRequest(slot).toJson(), QUICK);
        return reply.status() == 200
                ? Verdict.accepted(read(Flip.read(reply.body())))
                : new Verdict.Rejected<>(refusal(reply, Code.INS_CANDIDATE_LOST));
    }

    @Override
    public void discard(SlotId slot) throws IOException {
        expect(http.post(InferencePaths.DISCARD, new SlotRequest(slot).toJson(), QUICK));
    }

    @Override
    public void keep(ServingSet set) throws IOException {
        expect(http.post(InferencePaths.KEEP, set.toJson(), QUICK));
    }

    @Override
    public List<String> recentLog() throws IOException {
        return read(LogLines.read(expect(http.get(InferencePaths.LOG, QUICK)))).lines();
    }

    /** Waits for nonces of local programs; none after a while without any. */
    public List<Binary> challenges() throws IOException {
        return read(Challenges.read(expect(http.get(InferencePaths.CHALLENGES, WAIT))))
                .nonces();
    }

    /** Brings what the device answers to one of {@link #challenges}. */
    public void deliver(ChallengeReply reply) throws IOException {
        expect(http.post(InferencePaths.EVIDENCE, reply.toJson(), QUICK));
    }

    private static JsonNode expect(UnixHttpClient.Reply reply) throws IOException {
        if (reply.status() != 200) {
            throw new IOException(refusal(reply, Code.API_INTERNAL).toString());
        }
        return reply.body();
    }

    private static Rejection refusal(UnixHttpClient.Reply reply, Code otherwise) {
        return reply.body().has("code")
                ? Refusal.read(reply.body(), otherwise)
                : new Rejection(otherwise, "HTTP " + reply.status());
    }

    private static <T> T read(Verdict<T> verdict) throws IOException {
        return switch (verdict) {
            case Verdict.Accepted<T>(T value) -> value;
            case Verdict.Rejected<T>(Rejection reason) ->
                throw new IOException("the inference process answered what it may not: " + reason);
        };
    }
}
