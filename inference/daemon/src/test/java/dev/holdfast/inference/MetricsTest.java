package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The numbers for the operator, as Prometheus reads them. */
class MetricsTest {
    private static final Map<String, String> INTENT = Map.of("model", "intent");
    private static final String HELLO =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":4,\"ignore_eos\":true";

    @TempDir
    Path folder;

    private TinyStore store;
    private SocketPaths sockets;
    private InferenceDaemon daemon;
    private Curl api;

    @BeforeEach
    void start() throws Exception {
        store = new TinyStore(folder.resolve("store"));
        store.serving(store.add("1.0.0", 1, TinyModel.Flaw.NONE), null);
        sockets = new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
        daemon = InferenceDaemon.start(InferenceConfig.of(
                store.folder(), sockets, new InferenceConfig.Limits(2, 4, 256, 1, CacheType.DEFAULT, 0)));
        api = new Curl(sockets.inference());
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    private PrometheusText scrape() throws Exception {
        return PrometheusText.parse(api.get("/metrics").body());
    }

    private static double value(PrometheusText text, String family, String name, Map<String, String> labels) {
        return text.family(family).value(name, labels);
    }

    @Test
    void beforeAnyRequestTheTextIsWellFormed() throws Exception {
        assertThat(scrape().families()).containsKeys("holdfast_requests_running", "holdfast_kv_cache_usage_ratio");
    }

    @Test
    void histogramsHaveWhatRequestsTook() throws Exception {
        assertThat(api.post("/v1/chat/completions", HELLO + "}").status()).isEqualTo(200);
        assertThat(api.post("/v1/chat/completions", HELLO + ",\"stream\":true,\"tokens_per_second\":20}")
                        .status())
                .isEqualTo(200);
        PrometheusText text = scrape();
        for (String name : List.of(
                "gen_ai_server_request_duration_seconds",
                "gen_ai_server_time_to_first_token_seconds",
                "gen_ai_server_time_per_output_token_seconds",
                "holdfast_queue_seconds")) {
            assertThat(text.family(name).type()).isEqualTo("histogram");
            assertThat(value(text, name, name + "_count", INTENT)).as(name).isEqualTo(2);
        }
        // One of them was paced at 50 ms a token, of which three came after the first.
        String each = "gen_ai_server_time_per_output_token_seconds";
        assertThat(value(text, each, each + "_bucket", Map.of("model", "intent", "le", "0.025")))
                .isEqualTo(1);
        assertThat(value(text, each, each + "_bucket", Map.of("model", "intent", "le", "1.0")))
                .isEqualTo(2);
        String batch = "holdfast_decode_batch";
        assertThat(text.family(batch).type()).isEqualTo("histogram");
        // Of four tokens the last is not read.
        assertThat(value(text, batch, batch + "_count", INTENT)).isEqualTo(6);
        assertThat(value(text, batch, batch + "_bucket", Map.of("model", "intent", "le", "1.0")))
                .isEqualTo(6);
        // What was read for the user stays for its next prompt: 5 tokens of prompt and 3 of the answer, of two rooms of
        // 256.
        assertThat(value(text, "holdfast_kv_cache_usage_ratio", "holdfast_kv_cache_usage_ratio", INTENT))
                .isBetween(8.0 / 512, 16.0 / 512);
        assertThat(value(text, "holdfast_generation_tokens_total", "holdfast_generation_tokens_total", INTENT))
                .isEqualTo(8);
    }

    @Test
    void answersThatAreMadeTogetherAreOneStep() throws Exception {
        String slow = HELLO.replace(":4,", ":20,") + ",\"tokens_per_second\":20}";
        Process one = api.start(List.of("--data-binary", slow, "http://localhost/v1/chat/completions"));
        Process other = api.start(List.of("--data-binary", slow, "http://localhost/v1/chat/completions"));
        Awaitility.await()
                .untilAsserted(() -> assertThat(
                                value(scrape(), "holdfast_requests_running", "holdfast_requests_running", Map.of()))
                        .isEqualTo(2));
        assertThat(one.waitFor()).isZero();
        assertThat(other.waitFor()).isZero();
        PrometheusText text = scrape();
        String batch = "holdfast_decode_batch";
        assertThat(value(text, batch, batch + "_sum", INTENT)).isEqualTo(38);
        assertThat(value(text, batch, batch + "_count", INTENT)).isBetween(19.0, 38.0);
    }

    @Test
    void whatIsRefusedAndWhatIsSwappedIsCounted() throws Exception {
        assertThat(api.post("/v1/chat/completions", HELLO + ",\"audio\":{}}").status())
                .isEqualTo(400);
        assertThat(api.post("/v1/chat/completions", HELLO + ",\"model\":\"other\"}")
                        .status())
                .isEqualTo(404);
        InferenceClient agent = new InferenceClient(sockets.inferenceControl());
        Slot two = Slot.read(store.add("2.0.0", 2, TinyModel.Flaw.NONE)).orThrow();
        assertThat(agent.prepare(two).passed()).isTrue();
        assertThat(agent.flip(two.slotId()).isAccepted()).isTrue();
        assertThat(api.post("/v1/chat/completions", HELLO + "}").status()).isEqualTo(200);
        PrometheusText text = scrape();
        String rejections = "holdfast_rejections_total";
        for (String code : List.of("API-UNSUPPORTED", "API-NOT-FOUND")) {
            assertThat(value(text, rejections, rejections, Map.of("code", code)))
                    .isEqualTo(1);
        }
        String pause = "holdfast_swap_pause_seconds";
        assertThat(value(text, pause, pause + "_count", INTENT)).isEqualTo(1);
        // The same numbers go on, whichever version makes the answer; that it passed its gate is none of them.
        assertThat(value(text, "holdfast_decode_batch", "holdfast_decode_batch_count", INTENT))
                .isEqualTo(3);
        assertThat(text.families().values().stream()
                        .flatMap(family -> family.samples().stream())
                        .flatMap(sample -> sample.labels().keySet().stream())
                        .distinct())
                .containsExactlyInAnyOrder("model", "code", "le");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "# TYPE a gauge\na 1",
                "# TYPE a gauge\na 1\na 2\n",
                "# TYPE a gauge\nb 1\n",
                "# TYPE a gauge\n# TYPE a gauge\na 1\n",
                "# TYPE a gauge\na{x=1} 1\n",
                "# TYPE a gauge\na one\n",
                "# TYPE a counter\na 1\n",
                "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
                "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
                "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n"
            })
    void theReaderRefusesWhatPrometheusDoes(String text) {
        assertThatThrownBy(() -> PrometheusText.parse(text))
                .isInstanceOfAny(AssertionError.class, NumberFormatException.class);
    }
}
