package dev.holdfast.sockets;

import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.net.SocketAddress;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An HTTP server on a Unix socket. The socket is bound under a hidden name, gets its mode, and is then renamed, so that
 * nobody can connect before the mode holds. A file left by a dead process is removed only after connecting to it failed.
 */
public final class SocketServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SocketServer.class);

    private final GatedServer server;
    private final Path path;

    private SocketServer(GatedServer server, Path path) {
        this.server = server;
        this.path = path;
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
        Path hidden = path.resolveSibling(
                "." + path.getFileName() + "." + ProcessHandle.current().pid());
        Files.deleteIfExists(hidden);
        try {
            // Nobody was told of the hidden name: no other peer comes before the gate is there.
            GatedServer server = listen(vertx, path, hidden, admission, routes);
            try {
                Files.setPosixFilePermissions(hidden, PosixFilePermissions.fromString(mode));
                Files.move(hidden, path, StandardCopyOption.ATOMIC_MOVE);
            } catch (IOException e) {
                server.close();
                throw e;
            }
            return new SocketServer(server, path);
        } finally {
            Files.deleteIfExists(hidden);
        }
    }

    private static GatedServer listen(
            Vertx vertx, Path path, Path hidden, Admission admission, Handler<HttpServerRequest> routes)
            throws IOException {
        try {
            return GatedServer.start(
                    vertx,
                    SocketAddress.domainSocketAddress(hidden.toString()),
                    port -> UnixDomainSocketAddress.of(hidden),
                    admission,
                    routes);
        } catch (IOException e) {
            throw new IOException("cannot listen on " + path + ": " + e.getMessage(), e);
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

    @Override
    public void close() {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOG.warn("closing {}: {}", path, e.toString());
        }
        server.close();
    }
}
