package dev.holdfast.bench;

import java.io.IOException;
import java.net.InetAddress;
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

/** How long {@code llama-server} takes from the start of its process to the first token. */
final class LlamaServerStart {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final long POLL_MILLIS = 5;

    private LlamaServerStart() {}

    static double secondsToFirstToken(Path model, int threads) throws IOException, InterruptedException {
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
                "2048",
                "-np",
                "1",
                "-t",
                "" + threads);
        long begin = System.nanoTime();
        Process server = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        try (HttpClient client = HttpClient.newHttpClient()) {
            String base = "http://127.0.0.1:" + port;
            HttpRequest health =
                    HttpRequest.newBuilder(URI.create(base + "/health")).build();
            while (answer(client, health).isEmpty()) {
                if (!server.isAlive() || System.nanoTime() - begin > LIMIT.toNanos()) {
                    throw new IOException("llama-server did not start");
                }
                TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
            }
            HttpRequest completion = HttpRequest.newBuilder(URI.create(base + "/completion"))
                    .POST(HttpRequest.BodyPublishers.ofString("{\"prompt\":\"a b c\",\"n_predict\":1}"))
                    .build();
            Optional<String> answer = answer(client, completion);
            double seconds = (System.nanoTime() - begin) / 1e9;
            if (!answer.orElse("").contains("\"tokens_predicted\":1,")) {
                throw new IOException("llama-server made no token: " + answer);
            }
            return seconds;
        } finally {
            server.destroy();
            server.waitFor();
        }
    }

    private static Optional<String> answer(HttpClient client, HttpRequest request) throws InterruptedException {
        try {
            HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
            return response.statusCode() == 200 ? Optional.of(response.body()) : Optional.empty();
        } catch (IOException notYet) {
            return Optional.empty();
        }
    }
}
