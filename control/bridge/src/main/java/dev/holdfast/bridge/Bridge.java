package dev.holdfast.bridge;

import dev.holdfast.sockets.Admission;
import dev.holdfast.sockets.EventLoop;
import dev.holdfast.sockets.GatedServer;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Code;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.net.SocketAddress;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A loopback port before the applications' socket. To the inference process all of its callers are one user: the bridge's own.
 * Thread-safe.
 */
final class Bridge implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Bridge.class);
    /** As of the API. */
    static final int MAX_BODY_BYTES = 1 << 20;
    /** Connections at a time, of all programs together. */
    private static final int CONNECTIONS = 256;
    /** Requests under way, each on a connection of its own: the inference process gives 64 to a user, who may have other programs. */
    static final int REQUESTS = 48;

    private static final Duration CONNECT = Duration.ofSeconds(5);
    private static final int KEEP_SECONDS = 1;
    private static final Duration TURN = Duration.ofSeconds(5);

    /**
     * @param port 0 for any that is free
     * @param socket of the inference process; it need not be there yet
     * @param token empty where every account of the machine may ask
     * @param stall how long a client may take nothing of its answer
     */
    record Settings(Loopback address, int port, Path socket, Optional<Token> token, Duration stall) {
        /** What the inference process gives to its own clients. */
        static final Duration STALL = Duration.ofSeconds(20);
    }

    private final EventLoop loop = new EventLoop();
    private final AtomicInteger running = new AtomicInteger();
    private final Settings settings;
    private volatile RequestCheck check;
    private final RequestOptions upstream;
    private final HttpClient client;
    private final GatedServer server;

    private Bridge(Settings settings) throws IOException {
        this.settings = settings;
        this.check = new RequestCheck(settings.token());
        this.upstream = new RequestOptions()
                .setServer(SocketAddress.domainSocketAddress(settings.socket().toString()))
                .setHost("localhost")
                .setConnectTimeout(CONNECT.toMillis());
        // Kept for a moment after an answer: were the other end asked to close, what a slow reader has not taken by
        // then would be
        // lost with the connection. Not for longer: it must never be closed there just when it is used again.
        this.client = loop.vertx()
                .httpClientBuilder()
                .with(new HttpClientOptions().setKeepAliveTimeout(KEEP_SECONDS))
                .with(new PoolOptions().setHttp1MaxSize(REQUESTS))
                .withConnectHandler(connection -> connection.exceptionHandler(
                        e -> LOG.debug("connection failed: {}", e.getClass().getName())))
                .build();
        boolean started = false;
        try {
            InetAddress address = InetAddress.ofLiteral(settings.address().literal());
            this.server = GatedServer.start(
                    loop.vertx(),
                    SocketAddress.inetSocketAddress(new InetSocketAddress(address, settings.port())),
                    port -> new InetSocketAddress(address, port),
                    Admission.ofOneUser(CONNECTIONS),
                    this::handle);
            started = true;
        } catch (IOException e) {
            throw new IOException(
                    "cannot listen on " + settings.address().inUrl() + ":" + settings.port() + ": " + e.getMessage(),
                    e);
        } finally {
            if (!started) {
                loop.close();
            }
        }
    }

    /** @throws IOException where the port cannot be had */
    static Bridge start(Settings settings) throws IOException {
        return new Bridge(settings);
    }

    /** Asks for another token from the next request on, or for none. */
    void take(Optional<Token> token) {
        check = new RequestCheck(token);
    }

    /** What a client takes as its base URL. */
    String url() {
        return "http://" + settings.address().inUrl() + ":" + port() + "/v1";
    }

    int port() {
        return server.port();
    }

    /** Requests that are on their way to the inference process or back. */
    int running() {
        return running.get();
    }

    /** Why it is of no use; empty where its one thread works. Not asked by the port, whose places others may have taken. */
    Optional<String> fault() throws InterruptedException {
        return loop.turns(TURN) ? Optional.empty() : Optional.of("the event loop hangs");
    }

    private void handle(HttpServerRequest request) {
        Optional<RequestCheck.Refusal> refusal =
                check.refusal(request.version(), request.method(), request.uri(), request.headers());
        if (refusal.isPresent()) {
            refuse(request, refusal.get());
        } else {
            Replies.body(request, MAX_BODY_BYTES, body -> forward(request, body));
        }
    }

    private static void refuse(HttpServerRequest request, RequestCheck.Refusal refusal) {
        request.response().putHeader("Connection", "close");
        if (refusal.status() == 401) {
            request.response().putHeader("WWW-Authenticate", "Bearer");
        }
        Replies.error(request.response(), refusal.status(), refusal.why());
    }

    private void forward(HttpServerRequest request, byte[] body) {
        if (running.get() >= REQUESTS) {
            Replies.error(
                    request, Code.API_BUSY, "the bridge has " + REQUESTS + " requests under way, as many as it may");
            return;
        }
        running.incrementAndGet();
        RequestOptions asked =
                new RequestOptions(upstream).setMethod(request.method()).setURI(request.uri());
        new Forwarding(loop.vertx(), request, settings.stall(), running::decrementAndGet)
                .begin(client.request(asked), body);
    }

    /** Ends every connection, also where an answer is under way. */
    @Override
    public void close() {
        server.close();
        client.close();
        loop.close();
    }
}
