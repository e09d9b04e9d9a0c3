package dev.holdfast.inference;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** When a client that is refused is told to come again, from queues that are full. */
class RetryAfterTest {
    private static final Pattern SECONDS = Pattern.compile("(?i)\\r\\nRetry-After: (\\d+)\\r\\n");
    private static final Pattern MILLIS = Pattern.compile("(?i)\\r\\nRetry-After-Ms: (\\d+)\\r\\n");

    @TempDir
    Path folder;

    private @Nullable InferenceDaemon daemon;
    private final List<Process> started = new ArrayList<>();

    /** Serves one answer at a time, and lets so many wait. */
    private void start(int queued) throws Exception {
        stop();
        TinyStore store = new TinyStore(folder.resolve("store"));
        store.serving(store.add("1.0.0", 1, TinyModel.Flaw.NONE), null);
        SocketPaths sockets = new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
        daemon = InferenceDaemon.start(InferenceConfig.of(
                store.folder(), sockets, new InferenceConfig.Limits(1, queued, 256, 1, CacheType.DEFAULT, 0)));
    }

    @AfterEach
    void stop() throws Exception {
        for (Process each : started) {
            each.destroyForcibly().waitFor();
        }
        started.clear();
        if (daemon != null) {
            daemon.close();
        }
    }

    private Curl api() {
        return new Curl(folder.resolve("api.sock"));
    }

    private static String body(int tokens, int perSecond) {
        return "{\"prompt\":\"x\",\"ignore_eos\":true,\"max_tokens\":" + tokens + ",\"tokens_per_second\":" + perSecond
                + "}";
    }

    private Process ask(String body) throws Exception {
        Process curl = api().start(List.of("-i", "--data-binary", body, "http://localhost/v1/completions"));
        started.add(curl);
        return curl;
    }

    /** Fills place and queue by requests of a minute, and asks once more. */
    private String refused(int queued) throws Exception {
        for (int i = 0; i < 1 + queued; i++) {
            ask(body(60, 1));
            int waiting = i;
            Awaitility.await()
                    .until(() -> requireNonNull(daemon).status().requestsActive() == 1
                            && requireNonNull(daemon).waiting() == waiting);
        }
        return new String(ask(body(1, 1000)).getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    private static long number(Pattern header, String answer) {
        Matcher found = header.matcher(answer);
        assertThat(found.find()).as(answer).isTrue();
        return Long.parseLong(found.group(1));
    }

    @Test
    void itFollowsHowLongRequestsTookAndHowManyWait() throws Exception {
        List<Long> told = new ArrayList<>();
        for (int queued : new int[] {1, 5}) {
            start(queued);
            // Half a second each, by the clock of the answer.
            for (int i = 0; i < 2; i++) {
                assertThat(api().post("/v1/completions", body(10, 20)).status()).isEqualTo(200);
            }
            String answer = refused(queued);
            assertThat(answer).startsWith("HTTP/1.1 429").contains("API-BUSY");
            long millis = number(MILLIS, answer);
            assertThat(millis).isBetween(500L * (queued + 1) * 9 / 10, 500L * (queued + 1) * 3);
            assertThat(number(SECONDS, answer)).isEqualTo(Math.ceilDiv(millis, 1000));
            told.add(millis);
        }
        assertThat(told.get(1)).isGreaterThan(told.get(0));
    }

    @Test
    void aClientThatComesWhenItWasToldFindsAPlace() throws Exception {
        start(1);
        assertThat(api().post("/v1/completions", body(10, 20)).status()).isEqualTo(200);
        ask(body(10, 20));
        Awaitility.await().until(() -> requireNonNull(daemon).status().requestsActive() == 1);
        ask(body(10, 20));
        Awaitility.await().until(() -> requireNonNull(daemon).waiting() == 1);
        String answer = new String(ask(body(1, 1000)).getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(answer).startsWith("HTTP/1.1 429");
        Awaitility.await()
                .pollDelay(Duration.ofMillis(number(MILLIS, answer)))
                .untilAsserted(() -> assertThat(
                                api().post("/v1/completions", body(1, 1000)).status())
                        .isEqualTo(200));
    }

    @Test
    void ofQuickRequestsItIsAFractionOfASecond() throws Exception {
        start(1);
        for (int i = 0; i < 20; i++) {
            assertThat(api().post("/v1/completions", body(1, 1000)).status()).isEqualTo(200);
        }
        String quick = refused(1);
        assertThat(number(MILLIS, quick)).isBetween(100L, 999L);
        assertThat(number(SECONDS, quick)).isEqualTo(1);
    }
}
