package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.AgentPaths;
import dev.holdfast.control.BundleProtocol;
import dev.holdfast.control.Refusal;
import dev.holdfast.storage.DiskException;
import dev.holdfast.updater.InstallOutcome;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.net.NetSocket;
import java.io.IOException;
import java.util.SortedMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Installs from bundles that the {@code holdfast install} command brings: {@code GET /v1/install?bytes=N} with
 * {@code Upgrade: holdfast-bundle} becomes the conversation of {@link BundleProtocol}. One install at a time.
 */
final class BundleUpload {
    private static final Logger LOG = LoggerFactory.getLogger(BundleUpload.class);
    /** Well below the time after which an idle connection is closed: probation may last longer. */
    private static final long WAIT_MILLIS = 30_000;

    private final QuietLog quiet = new QuietLog(LOG);
    private final AgentControl agent;
    private final Vertx vertx;
    private final AtomicBoolean busy = new AtomicBoolean();

    BundleUpload(AgentControl agent, Vertx vertx) {
        this.agent = agent;
        this.vertx = vertx;
    }

    /** Call on the event loop. */
    void handle(HttpServerRequest request) {
        long bytes = length(request.getParam(AgentPaths.BYTES));
        request.toNetSocket()
                .onFailure(failure -> LOG.debug("no bundle: {}", failure.getMessage()))
                .onSuccess(socket -> {
                    RemoteBundle bundle = new RemoteBundle(socket, bytes);
                    long timer = vertx.setPeriodic(
                            WAIT_MILLIS, tick -> socket.write(Buffer.buffer().appendByte(BundleProtocol.WAIT)));
                    Thread.ofVirtual().name("agent-bundle").start(() -> {
                        end(socket, answer(bundle));
                        vertx.cancelTimer(timer);
                    });
                });
    }

    /** What is not a length is an empty file, which is not a bundle. */
    private static long length(@Nullable String text) {
        return text != null && text.matches("[0-9]{1,15}") ? Long.parseLong(text) : 0;
    }

    private ObjectNode answer(RemoteBundle bundle) {
        if (!busy.compareAndSet(false, true)) {
            return refused(new Rejection(Code.API_BUSY, "another bundle is being installed"));
        }
        try {
            return switch (agent.install(bundle)) {
                case Verdict.Rejected<SortedMap<String, InstallOutcome>>(Rejection reason) -> refused(reason);
                case Verdict.Accepted<SortedMap<String, InstallOutcome>>(SortedMap<String, InstallOutcome> outcomes) ->
                    AgentRoutes.outcome(outcomes);
            };
        } catch (RejectedException e) {
            return refused(e.rejection());
        } catch (IOException e) {
            quiet.warn("a bundle was not installed", e);
            return refused(
                    DiskException.reasonOf(e).orElseGet(() -> new Rejection(Code.API_INTERNAL, FailureText.of(e))));
        } catch (RuntimeException | Error e) {
            quiet.warn("a bundle was not installed", e);
            return refused(new Rejection(Code.API_INTERNAL, FailureText.of(e)));
        } finally {
            busy.set(false);
        }
    }

    private static ObjectNode refused(Rejection reason) {
        return Refusal.toJson(reason);
    }

    private static void end(NetSocket socket, ObjectNode answer) {
        byte[] json = Json.write(answer);
        socket.write(Buffer.buffer()
                        .appendByte(BundleProtocol.END)
                        .appendInt(json.length)
                        .appendBytes(json))
                .onComplete(written -> socket.close());
    }
}
