package dev.holdfast.inference;

import dev.holdfast.engine.Usage;
import dev.holdfast.wire.Code;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;
import java.util.function.Supplier;

/**
 * What the applications' socket does, in numbers, by Prometheus' text form. Names are those of OpenTelemetry for a server of generative
 * models, and vLLM's words otherwise. Labels are the name of a model and a code; never who asked. Thread-safe.
 */
final class InferenceMetrics {
    static final String CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

    private static final Duration[] REQUEST = seconds(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300, 600);
    private static final Duration[] FIRST = seconds(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60);
    private static final Duration[] TOKEN =
            seconds(0.002, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1);
    private static final Duration[] PAUSE = seconds(0.000_001, 0.000_01, 0.000_1, 0.001, 0.01, 0.1, 1);

    private static final double[] ANSWERS = {1, 2, 3, 4, 6, 8, 12, 16};

    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final List<Runnable> refreshes = new ArrayList<>();

    private static Duration[] seconds(double... limits) {
        Duration[] durations = new Duration[limits.length];
        for (int i = 0; i < limits.length; i++) {
            durations[i] = Duration.ofNanos(Math.round(limits[i] * 1e9));
        }
        return durations;
    }

    /** Watches a number that somebody else keeps. */
    void gauge(String name, String what, Supplier<Number> value) {
        Gauge.builder(name, value).description(what).register(registry);
    }

    /** Watches numbers by models' names, which come and go. Before the first {@link #text}. */
    void byModel(String name, String what, Supplier<Map<String, Double>> values) {
        MultiGauge gauge = MultiGauge.builder(name).description(what).register(registry);
        refreshes.add(() -> gauge.register(
                values.get().entrySet().stream()
                        .map(each -> MultiGauge.Row.of(Tags.of("model", each.getKey()), each.getValue()))
                        .toList(),
                true));
    }

    /** Who counts for how many answers each step of decoding is; it allocates nothing. */
    IntConsumer steps(String model) {
        DistributionSummary summary = DistributionSummary.builder("holdfast.decode.batch")
                .description("Answers for which one step of decoding is")
                .tag("model", model)
                .serviceLevelObjectives(ANSWERS)
                .register(registry);
        return summary::record;
    }

    private Timer timer(String name, String what, Duration[] limits, String model) {
        return Timer.builder(name)
                .description(what)
                .tag("model", model)
                .serviceLevelObjectives(limits)
                .register(registry);
    }

    /** A request had its turn, so long after it came. */
    void queued(String model, long nanos) {
        timer("holdfast.queue", "From a request's arrival to its turn", FIRST, model)
                .record(Duration.ofNanos(nanos));
    }

    /**
     * A request is answered.
     *
     * @param firstNanos from its arrival to its first token; 0 where it has none
     * @param nanos from its arrival to its end
     */
    void answered(String model, Usage usage, long firstNanos, long nanos) {
        timer("gen_ai.server.request.duration", "From a request's arrival to its end", REQUEST, model)
                .record(Duration.ofNanos(nanos));
        if (firstNanos > 0 && usage.completionTokens() > 0) {
            timer("gen_ai.server.time_to_first_token", "From a request's arrival to its first token", FIRST, model)
                    .record(Duration.ofNanos(firstNanos));
            if (usage.completionTokens() > 1) {
                timer("gen_ai.server.time_per_output_token", "Between two tokens of an answer", TOKEN, model)
                        .record(Duration.ofNanos((nanos - firstNanos) / (usage.completionTokens() - 1)));
            }
        }
        tokens("holdfast.prompt.tokens", "Tokens of prompts", model, usage.promptTokens());
        tokens("holdfast.prompt.tokens.cached", "Of these, read before for the same user", model, usage.cachedTokens());
    }

    /** Tokens were made, whoever got them. */
    void generated(String model, int count) {
        tokens("holdfast.generation.tokens", "Tokens of answers, also of those that were cut", model, count);
    }

    private void tokens(String name, String what, String model, int count) {
        Counter.builder(name)
                .description(what)
                .tag("model", model)
                .register(registry)
                .increment(count);
    }

    /** A request was refused, or has no whole answer. */
    void rejected(Code code) {
        Counter.builder("holdfast.rejections")
                .description("Requests without a whole answer")
                .tag("code", code.id())
                .register(registry)
                .increment();
    }

    /** A request had a field that nobody knows. */
    void ignored() {
        Counter.builder("holdfast.requests.ignored.fields")
                .description("Requests with a field that nobody knows")
                .register(registry)
                .increment();
    }

    /** Another version serves under a name; for so long no request could begin. */
    void swapped(String model, long pauseMicros) {
        timer("holdfast.swap.pause", "For how long no request could begin, at a swap", PAUSE, model)
                .record(Duration.ofNanos(pauseMicros * 1000));
    }

    /** All of it, as Prometheus reads it. */
    synchronized String text() {
        refreshes.forEach(Runnable::run);
        return registry.scrape();
    }
}
