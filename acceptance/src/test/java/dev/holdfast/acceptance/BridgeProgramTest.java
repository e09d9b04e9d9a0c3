package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code holdfast bridge} by the package's launcher, asked by the JDK's own HTTP client, which is what it is for. */
@Timeout(60)
class BridgeProgramTest {
    /** 128 + SIGTERM, which is how a JVM ends by it. */
    private static final int TERMINATED = 143;

    private static final Pattern URL = Pattern.compile("http://127\\.0\\.0\\.1:\\d+/v1");

    @TempDir
    Path folder;

    @Test
    void theLauncherStartsItAndTheJdksClientReachesIt() throws Exception {
        Path token = folder.resolve("token");
        ProcessBuilder builder = new ProcessBuilder(Program.launch(
                        "holdfast",
                        "bridge",
                        "--port=0",
                        "--socket=" + folder.resolve("none.sock"),
                        "--token-file=" + token))
                .redirectErrorStream(true);
        builder.environment().putAll(Program.ENVIRONMENT);
        Process process = builder.start();
        try (HttpClient client = HttpClient.newHttpClient()) {
            String url = url(process.inputReader(StandardCharsets.UTF_8));
            HttpRequest.Builder question = HttpRequest.newBuilder(URI.create(url + "/models"));
            assertThat(client.send(question.build(), HttpResponse.BodyHandlers.ofString())
                            .statusCode())
                    .isEqualTo(401);
            question.header("Authorization", "Bearer " + Files.readString(token).strip());
            HttpResponse<String> answer = client.send(question.build(), HttpResponse.BodyHandlers.ofString());
            assertThat(answer.statusCode()).isEqualTo(503);
            assertThat(answer.version()).isEqualTo(HttpClient.Version.HTTP_1_1);
            assertThat(answer.body()).contains("API-UNREACHABLE");
            process.destroy();
            assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).isEqualTo(TERMINATED);
        } finally {
            process.destroyForcibly();
        }
    }

    private static String url(BufferedReader said) throws Exception {
        StringBuilder all = new StringBuilder();
        for (String line = said.readLine(); line != null; line = said.readLine()) {
            Matcher found = URL.matcher(line);
            if (found.find()) {
                return found.group();
            }
            all.append(line).append('\n');
        }
        throw new AssertionError("the bridge ended: " + all);
    }
}
