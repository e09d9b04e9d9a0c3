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
    /** Half a megabyte of JSON becomes some 15 MiB of nodes at worst. */
    private static final int REPORT_BYTES = 512 * 1024;

    private static final int STATUS_BYTES = 64 * 1024;
    private static final int SMALL_BYTES = 16 * 1024;

    /**
     * How long a call may take as a whole.
     *
     * @param quick what the process answers at once
     * @param load loading and gating a model, which takes minutes on a small device
     * @param challenges longer than the process lets the question wait
     */
    public record Deadlines(Duration quick, Duration load, Duration challenges) {
        public static final Deadlines DEFAULT =
                new Deadlines(Duration.ofSeconds(10), Duration.ofMinutes(15), Duration.ofSeconds(40));
        /** For evidence, which does not wait long for a process that does not answer. */
        public static final Deadlines PROMPT = new Deadlines(Duration.ofSeconds(3), DEFAULT.load, DEFAULT.challenges);
    }

    private final UnixHttpClient http;
    private final Deadlines deadlines;

    public InferenceClient(Path socket) {
        this(socket, Deadlines.DEFAULT);
    }

    public InferenceClient(Path socket, Deadlines deadlines) {
        this.http = new UnixHttpClient(socket);
        this.deadlines = deadlines;
    }

    private UnixHttpClient.Bounds quick(int replyBytes) {
        return new UnixHttpClient.Bounds(replyBytes, deadlines.quick);
    }

    @Override
    public InferenceStatus status() throws IOException {
        return read(InferenceStatus.read(expect(http.get(InferencePaths.STATUS, quick(STATUS_BYTES)))));
    }

    @Override
    public GateReport prepare(Slot slot) throws IOException {
        return load(InferencePaths.CANDIDATE, slot);
    }

    @Override
    public GateReport grace(Slot slot) throws IOException {
        return load(InferencePaths.GRACE, slot);
    }

    private GateReport load(String path, Slot slot) throws IOException {
        UnixHttpClient.Reply reply =
                http.post(path, slot.toJson(), new UnixHttpClient.Bounds(REPORT_BYTES, deadlines.load));
        return GateReport.read(reply.body()) instanceof Verdict.Accepted<GateReport>(GateReport report)
                        && (reply.status() == 200 || !report.passed())
                ? report
                : new GateReport(Optional.of(refusal(reply, Code.INS_CANDIDATE_LOST)), 0, List.of());
    }

    @Override
    public Verdict<Flip> flip(SlotId slot) throws IOException {
        UnixHttpClient.Reply reply = http.post(InferencePaths.FLIP, new SlotRequest(slot).toJson(), quick(SMALL_BYTES));
        return reply.status() == 200
                ? Verdict.accepted(read(Flip.read(reply.body())))
                : new Verdict.Rejected<>(refusal(reply, Code.INS_CANDIDATE_LOST));
    }

    @Override
    public void discard(SlotId slot) throws IOException {
        expect(http.post(InferencePaths.DISCARD, new SlotRequest(slot).toJson(), quick(SMALL_BYTES)));
    }

    @Override
    public void keep(ServingSet set) throws IOException {
        expect(http.post(InferencePaths.KEEP, set.toJson(), quick(SMALL_BYTES)));
    }

    @Override
    public List<String> recentLog() throws IOException {
        return read(LogLines.read(expect(http.get(InferencePaths.LOG, quick(REPORT_BYTES)))))
                .lines();
    }

    /** Waits for nonces of local programs; none after a while without any. */
    public List<Binary> challenges() throws IOException {
        return read(Challenges.read(expect(http.get(
                        InferencePaths.CHALLENGES, new UnixHttpClient.Bounds(SMALL_BYTES, deadlines.challenges)))))
                .nonces();
    }

    /** Brings what the device answers to one of {@link #challenges}. */
    public void deliver(ChallengeReply reply) throws IOException {
        expect(http.post(InferencePaths.EVIDENCE, reply.toJson(), quick(SMALL_BYTES)));
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
