package dev.holdfast.sockets;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import io.netty.channel.Channel;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.net.SocketAddress;
import io.vertx.core.net.impl.ConnectionBase;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An HTTP/1.1 server whose connections pass an {@link AcceptGate} and whose requests pass a {@link RequestFlow}. Where it listens is
 * its caller's choice. Routes are called on the event loop. Thread-safe.
 */
public final class GatedServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(GatedServer.class);
    private static final int MAX_HEADER_BYTES = 8 * 1024;
    /** On a network address: what a slow reader does not take waits where it was made, not in the kernel, which would take megabytes. */
    private static final int SEND_BUFFER_BYTES = 64 * 1024;

    private static final int WAIT_SECONDS = 10;

    private final HttpServer server;
    /** The socket that listens, which Vert.x tells of where something connected to it, and nowhere else. */
    private final CompletableFuture<Channel> listening = new CompletableFuture<>();

    private GatedServer(Vertx vertx, HttpServerOptions options, Handler<HttpServerRequest> routes) {
        // No HTTP/2: each of its connections carries a hundred bodies at a time, and is told of only when it has
        // spoken.
        this.server = vertx.createHttpServer(options.setHttp2ClearTextEnabled(false)
                        .setMaxInitialLineLength(MAX_HEADER_BYTES)
                        .setMaxHeaderSize(MAX_HEADER_BYTES))
                .connectionHandler(this::connected)
                .exceptionHandler(
                        e -> LOG.debug("connection failed: {}", e.getClass().getName()))
                .invalidRequestHandler(request -> {
                    Replies.error(request, Code.API_REQUEST, "this is not an HTTP/1.1 request");
                    request.connection().close();
                })
                .requestHandler(request -> {
                    request.exceptionHandler(e -> {});
                    request.response().exceptionHandler(e -> {});
                    if (Peer.place(request.connection())
                            .map(Admission.Place::allowed)
                            .orElse(false)) {
                        Replies.answering(request, () -> routes.handle(request));
                    } else {
                        request.response().putHeader("Connection", "close");
                        Replies.error(request, Code.API_FORBIDDEN, "this user may not use this socket");
                    }
                });
    }

    /**
     * Listens, and returns once the gate is there. Who connects before that is hung up on.
     *
     * @param address where to listen
     * @param self where this process itself connects to it, given its port
     * @param admission who is let in; of this server alone
     * @throws IOException where it cannot listen there
     */
    public static GatedServer start(
            Vertx vertx,
            SocketAddress address,
            IntFunction<java.net.SocketAddress> self,
            Admission admission,
            Handler<HttpServerRequest> routes)
            throws IOException {
        HttpServerOptions options = new HttpServerOptions();
        if (address.isInetSocket()) {
            options.setSendBufferSize(SEND_BUFFER_BYTES);
        }
        GatedServer server = new GatedServer(vertx, options, routes);
        boolean guarded = false;
        try {
            server.server
                    .listen(address)
                    .toCompletionStage()
                    .toCompletableFuture()
                    .get(WAIT_SECONDS, TimeUnit.SECONDS);
            server.guard(self.apply(server.port()), admission);
            guarded = true;
            return server;
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException(FailureText.of(e), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            if (!guarded) {
                server.close();
            }
        }
    }

    /** Puts the gate before everything else. */
    private void guard(java.net.SocketAddress self, Admission admission)
            throws IOException, ExecutionException, TimeoutException, InterruptedException {
        SocketChannel first = SocketChannel.open(self);
        try {
            Channel socket = listening.get(WAIT_SECONDS, TimeUnit.SECONDS);
            socket.eventLoop()
                    .submit(() -> socket.pipeline().addFirst(AcceptGate.NAME, new AcceptGate(admission)))
                    .get(WAIT_SECONDS, TimeUnit.SECONDS);
        } finally {
            first.close();
        }
    }

    private void connected(HttpConnection connection) {
        connection.exceptionHandler(
                e -> LOG.debug("connection failed: {}", e.getClass().getName()));
        Channel channel = ((ConnectionBase) connection).channel();
        Admission.Place place = channel.attr(Admission.PLACE).get();
        if (place == null) {
            // It came before the gate was there.
            listening.complete(channel.parent());
            connection.close();
            return;
        }
        RequestFlow.watch(channel, place);
    }

    /** The port, of a network address. */
    public int port() {
        return server.actualPort();
    }

    @Override
    public void close() {
        try {
            server.close().toCompletionStage().toCompletableFuture().get(WAIT_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.warn("closing: {}", e.toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
