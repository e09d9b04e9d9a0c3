package dev.holdfast.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** A {@code llama-server} with one model, found on the PATH. Not thread-safe. */
final class LlamaServer implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final long POLL_MILLIS = 5;
    /** Of each slot. */
    private static final int CONTEXT_TOKENS = 2_048;

    private final Process process;
    private final int port;
    private final HttpClient client = HttpClient.newHttpClient();

    private LlamaServer(Process process, int port) {
        this.process = process;
        this.port = port;
    }

    /** Starts it, and waits until it says that it is healthy. */
    static LlamaServer start(Path model, int threads, int slots) throws IOException, InterruptedException {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        List<String> command = List.of(
                "llama-server",
                "-m",
                model.toString(),
                "--host",
                "127.0.0.1",
                "--port",
                "" + port,
                "-c",
                "" + slots * CONTEXT_TOKENS,
                "-np",
                "" + slots,
                "-t",
                "" + threads);
        long begin = System.nanoTime();
        LlamaServer server = new LlamaServer(
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start(),
                port);
        while (server.answer(server.to("/health").build()).isEmpty()) {
            if (!server.process.isAlive() || System.nanoTime() - begin > LIMIT.toNanos()) {
                server.close();
                throw new IOException("llama-server did not start");
            }
            TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
        }
        return server;
    }

    InetSocketAddress address() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    }

    /** Makes one token. */
    void oneToken() throws IOException, InterruptedException {
        Optional<String> answer = answer(to("/completion")
                .POST(HttpRequest.BodyPublishers.ofString("{\"prompt\":\"a b c\",\"n_predict\":1}"))
                .build());
        if (!answer.orElse("").contains("\"tokens_predicted\":1,")) {
            throw new IOException("llama-server made no token: " + answer);
        }
    }

    private HttpRequest.Builder to(String path) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path));
    }

    private Optional<String> answer(HttpRequest request) throws InterruptedException {
        try {
            HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
            return response.statusCode() == 200 ? Optional.of(response.body()) : Optional.empty();
        } catch (IOException notYet) {
            return Optional.empty();
        }
    }

    @Override
    public void close() {
        client.close();
        process.destroy();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
