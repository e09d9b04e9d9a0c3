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
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An HTTP server on a Unix socket. The socket is bound under a hidden name, gets its mode, and is then renamed, so that
 * nobody can connect before the mode holds. A file left by a dead process is removed only after connecting to it failed.
 */
public final class SocketServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SocketServer.class);
    private static final int MAX_HEADER_BYTES = 8 * 1024;
    private static final int WAIT_SECONDS = 10;

    private final HttpServer server;
    private final Path path;
    /** The socket that listens, which Vert.x tells of where something connected to it, and nowhere else. */
    private final CompletableFuture<Channel> listening = new CompletableFuture<>();

    private SocketServer(Vertx vertx, Path path, Handler<HttpServerRequest> routes) {
        this.path = path;
        // No HTTP/2: each of its connections carries a hundred bodies at a time, and is told of only when it has
        // spoken.
        this.server = vertx.createHttpServer(new HttpServerOptions()
                        .setHttp2ClearTextEnabled(false)
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

    public static SocketServer start(
            Vertx vertx, Path path, String mode, PeerPolicy policy, Handler<HttpServerRequest> routes)
            throws IOException {
        return start(vertx, path, mode, new Admission(policy, Admission.Places.DEFAULT), routes);
    }

    static SocketServer start(
            Vertx vertx, Path path, String mode, Admission admission, Handler<HttpServerRequest> routes)
            throws IOException {
        removeStale(path);
        SocketServer server = new SocketServer(vertx, path, routes);
        Path hidden = path.resolveSibling(
                "." + path.getFileName() + "." + ProcessHandle.current().pid());
        Files.deleteIfExists(hidden);
        try {
            server.server
                    .listen(SocketAddress.domainSocketAddress(hidden.toString()))
                    .toCompletionStage()
                    .toCompletableFuture()
                    .get(WAIT_SECONDS, TimeUnit.SECONDS);
            server.guard(hidden, admission);
            Files.setPosixFilePermissions(hidden, PosixFilePermissions.fromString(mode));
            Files.move(hidden, path, StandardCopyOption.ATOMIC_MOVE);
            return server;
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException("cannot listen on " + path + ": " + FailureText.of(e), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            Files.deleteIfExists(hidden);
        }
    }

    private static void removeStale(Path path) throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(path));
        } catch (IOException e) {
            Files.delete(path);
            return;
        }
        throw new IOException(path + " is in use by another process");
    }

    /** Puts the gate before everything else, and returns when it is there. Nobody was told of the socket yet. */
    private void guard(Path hidden, Admission admission)
            throws IOException, ExecutionException, TimeoutException, InterruptedException {
        try (SocketChannel first = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            first.connect(UnixDomainSocketAddress.of(hidden));
            Channel socket = listening.get(WAIT_SECONDS, TimeUnit.SECONDS);
            socket.eventLoop()
                    .submit(() -> socket.pipeline().addFirst(AcceptGate.NAME, new AcceptGate(admission)))
                    .get(WAIT_SECONDS, TimeUnit.SECONDS);
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

    @Override
    public void close() {
        try {
            Files.deleteIfExists(path);
            server.close().toCompletionStage().toCompletableFuture().get(WAIT_SECONDS, TimeUnit.SECONDS);
        } catch (IOException | ExecutionException | TimeoutException e) {
            LOG.warn("closing {}: {}", path, e.toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
