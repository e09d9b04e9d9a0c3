package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.net.SocketAddress;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** HTTP with JSON over Unix sockets, blocking, for the agent and the command line. Thread-safe. */
final class UnixHttp implements AutoCloseable {
    private static final int MAX_REPLY_BYTES = 4 * 1024 * 1024;

    private final Vertx vertx = Vertx.vertx(new VertxOptions()
            .setEventLoopPoolSize(1)
            .setWorkerPoolSize(1)
            .setPreferNativeTransport(true)
            .setFileSystemOptions(
                    new FileSystemOptions().setFileCachingEnabled(false).setClassPathResolvingEnabled(false)));
    private final HttpClient client = vertx.createHttpClient();

    /** A reply: HTTP status and JSON body. */
    record Reply(int status, JsonNode body) {}

    Vertx vertx() {
        return vertx;
    }

    Reply get(Path socket, String uri, Duration deadline) throws IOException {
        return call(socket, HttpMethod.GET, uri, null, deadline);
    }

    Reply post(Path socket, String uri, JsonNode body, Duration deadline) throws IOException {
        return call(socket, HttpMethod.POST, uri, body, deadline);
    }

    private Reply call(Path socket, HttpMethod method, String uri, @Nullable JsonNode body, Duration deadline)
            throws IOException {
        RequestOptions options = new RequestOptions()
                .setServer(SocketAddress.domainSocketAddress(socket.toString()))
                .setHost("localhost")
                .setPort(80)
                .setMethod(method)
                .setURI(uri);
        try {
            CompletableFuture<Raw> raw = new CompletableFuture<>();
            // On the event loop from the first step on: a step that is joined from another thread runs in a later turn
            // of
            // the loop, and what the response brought until then has gone by unread.
            vertx.runOnContext(ignored -> client.request(options)
                    .compose(request -> body == null
                            ? request.send()
                            : request.putHeader("content-type", "application/json")
                                    .send(Buffer.buffer(Json.write(body))))
                    .compose(response -> response.body().map(bytes -> new Raw(response.statusCode(), bytes.getBytes())))
                    .onComplete(raw::complete, raw::completeExceptionally));
            return raw.get(deadline.toMillis(), TimeUnit.MILLISECONDS).read();
        } catch (ExecutionException e) {
            throw new IOException(socket.getFileName() + ": " + e.getCause(), e);
        } catch (TimeoutException e) {
            throw new IOException(socket.getFileName() + ": no answer within " + deadline.toSeconds() + " s", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private record Raw(int status, byte[] bytes) {
        Reply read() throws IOException {
            try {
                return new Reply(status, Json.read(bytes, MAX_REPLY_BYTES).orThrow());
            } catch (RejectedException e) {
                throw new IOException(e.rejection().toString(), e);
            }
        }
    }

    @Override
    public void close() {
        client.close();
        vertx.close();
    }
}
