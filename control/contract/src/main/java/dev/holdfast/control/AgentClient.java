package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/**
 * The agent's control socket, from a command's side. A refusal by the agent is a {@link RejectedException}; an {@link IOException}
 * means that it does not answer. Thread-safe.
 */
public final class AgentClient {
    private static final Duration QUICK = Duration.ofSeconds(20);
    /** An install under way ends first, and bringing a large model back takes minutes. */
    private static final Duration SLOW = Duration.ofMinutes(15);
    /** Somebody waits to turn the machine off. */
    private static final Duration LEAVE = Duration.ofSeconds(8);
    /** Hardware takes seconds for a quote, and others may be first. */
    private static final Duration ATTEST = Duration.ofSeconds(40);

    private final UnixHttpClient http;

    public AgentClient(Path socket) {
        http = new UnixHttpClient(socket);
    }

    /** What the agent says of itself. */
    public JsonNode status() throws IOException, RejectedException {
        return expect(http.get(AgentPaths.STATUS, QUICK));
    }

    /** What there is in the TEE. */
    public JsonNode tee() throws IOException, RejectedException {
        return expect(http.get(AgentPaths.TEE, QUICK));
    }

    /** Every step of every install. */
    public JsonNode history() throws IOException, RejectedException {
        return expect(http.get(AgentPaths.HISTORY, QUICK));
    }

    public JsonNode pause(ReasonRequest why) throws IOException, RejectedException {
        return expect(http.post(AgentPaths.PAUSE, why.toJson(), QUICK));
    }

    public JsonNode resume(ReasonRequest why) throws IOException, RejectedException {
        return expect(http.post(AgentPaths.RESUME, why.toJson(), QUICK));
    }

    public JsonNode rollback(ReasonRequest why) throws IOException, RejectedException {
        return expect(http.post(AgentPaths.ROLLBACK, why.toJson(), SLOW));
    }

    /** Tells the fleet that the machine goes down, and waits a few seconds for its question and our answer: {@code answered}. */
    public JsonNode leave() throws IOException, RejectedException {
        return expect(http.post(AgentPaths.LEAVE, new ReasonRequest("").toJson(), LEAVE));
    }

    /** Evidence for a nonce of 8 to 64 bytes. */
    public Binary evidence(Binary nonce) throws IOException, RejectedException {
        String uri = AgentPaths.ATTESTATION + "?" + AgentPaths.NONCE + "=" + nonce.hex();
        ChallengeReply reply =
                ChallengeReply.read(expect(http.get(uri, ATTEST))).orThrow();
        if (!reply.nonce().equals(nonce)) {
            throw new RejectedException(Code.WIRE_FIELD, "evidence for another nonce");
        }
        return reply.evidence().orThrow();
    }

    private static JsonNode expect(UnixHttpClient.Reply reply) throws RejectedException {
        if (reply.status() != 200) {
            throw new RejectedException(Refusal.read(reply.body(), Code.API_INTERNAL));
        }
        return reply.body();
    }
}
