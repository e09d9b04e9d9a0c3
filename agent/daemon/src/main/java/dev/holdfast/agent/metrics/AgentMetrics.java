package dev.holdfast.agent.metrics;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.log.Logs;
import dev.holdfast.wire.Binary;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * What an operator alarms on. Gauges are made of {@code status}, so that a number never says something else than a person is told; counters
 * begin at the agent's start. Labels are codes, and names of models, which the order bounds. Thread-safe.
 */
public final class AgentMetrics {
    public static final String CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

    private final AgentCounters counters;
    private final Supplier<List<Binary>> events;
    private final LongSupplier orderVersion;
    private final Path store;

    /**
     * @param events the event log's entries
     * @param orderVersion of the newest order that the device took; 0 before the first
     * @param store the folder of the models
     */
    public AgentMetrics(AgentCounters counters, Supplier<List<Binary>> events, LongSupplier orderVersion, Path store) {
        this.counters = counters;
        this.events = events;
        this.orderVersion = orderVersion;
        this.store = store;
    }

    /**
     * All of it, as Prometheus reads it.
     *
     * @param status as {@code holdfast status} has it
     * @param broken whether evidence would be refused
     */
    public String text(JsonNode status, boolean broken) {
        PrometheusText out = new PrometheusText();
        device(out, status);
        link(out, status.path("link"));
        fleet(out, status);
        models(out, status);
        installs(out, status.path("install"));
        evidence(out, broken);
        store(out, status);
        out.counters("log_lines_total", "Log lines by their code", byCode(Logs.lines()));
        return out.toString();
    }

    private static void device(PrometheusText out, JsonNode status) {
        out.gauges(
                "info",
                "The agent and its root of trust; always 1",
                Map.of(
                        PrometheusText.labels(
                                "version",
                                status.path("agent").asText(),
                                "tee",
                                status.at("/tee/kind").asText(),
                                "assurance",
                                status.at("/tee/assurance").asText()),
                        1L));
        out.gauges(
                "state",
                "What the agent does, as its status says; always 1",
                Map.of(PrometheusText.labels("state", status.path("state").asText()), 1L));
        out.gauge(
                "paused",
                "Whether a person keeps updates off",
                status.path("paused").asBoolean());
        out.gauge(
                "memory_needed_bytes",
                "What the models in service need",
                status.at("/memory/neededBytes").asLong());
        out.gauge(
                "memory_budget_bytes",
                "What all models together may take; 0 for three quarters of the memory",
                status.at("/memory/budgetBytes").asLong());
    }

    private void link(PrometheusText out, JsonNode link) {
        out.gauge(
                "connected",
                "Whether the broker is reached",
                link.path("connected").asBoolean());
        out.counter(
                "connections_total",
                "Connections to the broker",
                link.path("connections").asLong());
        out.counter(
                "takeovers_total",
                "Connections that another client took over",
                link.path("takeovers").asLong());
        out.gauges(
                "link_lost",
                "Why the last connection or attempt ended; always 1",
                coded(link.path("lost").path("code")));
        out.counters("received_bytes_total", "Bytes of messages, by what they are", counters.received());
        out.counters("refused_bytes_total", "Of these, bytes of what was of no use, by the reason", counters.refused());
    }

    private void fleet(PrometheusText out, JsonNode status) {
        out.gauge(
                "enrolled",
                "Whether the fleet knows the device, since the agent's start",
                status.path("enrolled").asBoolean());
        out.gauge("order_version", "Number of the newest order that the device took", orderVersion.getAsLong());
        out.gauge(
                "last_look_timestamp_seconds",
                "When a look at the fleet last left nothing to do; 0 for never since the start",
                seconds(status.path("lastLook").asText()));
        out.gauges(
                "last_rejection",
                "What was refused last and has not succeeded since; always 1",
                coded(status.at("/lastRejection/code")));
        out.gauge(
                "certificate_expires_timestamp_seconds",
                "When the device's certificate ends; 0 where it has none",
                seconds(status.at("/certificate/until").asText()));
    }

    private static void models(PrometheusText out, JsonNode status) {
        Map<String, Long> serving = new TreeMap<>();
        Map<String, Long> rejected = new TreeMap<>();
        Map<String, Long> graces = new TreeMap<>();
        for (JsonNode model : status.path("models")) {
            String name = model.path("model").asText();
            if (model.has("version")) {
                serving.put(
                        PrometheusText.labels(
                                "model", name, "version", model.path("version").asText()),
                        1L);
            }
            graces.put(PrometheusText.labels("model", name), (long)
                    model.path("grace").size());
            JsonNode code = model.at("/lastRejection/code");
            if (code.isTextual()) {
                rejected.put(PrometheusText.labels("model", name, "code", code.asText()), 1L);
            }
        }
        out.gauges("serving", "What each model's name is answered by; always 1", serving);
        out.gauges("graces", "Older releases that answer to their pinned names", graces);
        out.gauges(
                "model_last_rejection",
                "What was refused last of a model and has not succeeded since; always 1",
                rejected);
    }

    private void installs(PrometheusText out, JsonNode install) {
        out.counters("installs_total", "Installs that ended, by how and why", counters.installs());
        out.gauge(
                "install_received_bytes",
                "Bytes that came of the install under way",
                install.path("bytesReceived").asLong());
        out.gauge(
                "install_total_bytes",
                "Bytes that it takes",
                install.path("bytesTotal").asLong());
        out.gauge(
                "install_refused_blocks",
                "Blocks of it that were not what was signed",
                install.path("blocksRefused").asLong());
    }

    private void evidence(PrometheusText out, boolean broken) {
        out.counters(
                "evidence_total",
                "Evidence that was made, without a code, and that was not, by its code",
                counters.evidence());
        out.gauge(
                "last_evidence_timestamp_seconds",
                "When evidence was made last; 0 for never since the start",
                counters.lastEvidence().map(Instant::getEpochSecond).orElse(0L));
        List<Binary> log = events.get();
        out.gauge("event_log_entries", "Entries of the event log", log.size());
        out.gauge(
                "event_log_bytes",
                "Bytes of the event log, which each evidence carries",
                log.stream().mapToLong(Binary::length).sum());
        out.gauge(
                "event_log_broken",
                "Whether evidence would be refused, since the log does not lead to the register",
                broken);
    }

    private void store(PrometheusText out, JsonNode status) {
        out.gauge("store_bytes", "Bytes of the models and of what is being received", bytes(store));
        out.gauge("store_free_bytes", "Bytes that are free where the models are; 0 if unknown", free(store));
        JsonNode scrub = status.path("scrub");
        out.gauge(
                "last_scrub_timestamp_seconds",
                "When the models at rest were read last; 0 for never",
                seconds(scrub.path("at").asText()));
        out.gauges(
                "models_at_rest_sound",
                "Whether all of them read right then",
                scrub.has("sound") ? Map.of("", scrub.path("sound").asBoolean() ? 1L : 0L) : Map.of());
    }

    private static Map<String, Long> coded(JsonNode code) {
        return code.isTextual() ? Map.of(PrometheusText.labels("code", code.asText()), 1L) : Map.of();
    }

    private static Map<String, Long> byCode(Map<String, Long> counts) {
        Map<String, Long> labelled = new TreeMap<>();
        counts.forEach((code, count) -> labelled.put(PrometheusText.labels("code", code), count));
        return labelled;
    }

    private static long seconds(String at) {
        try {
            return at.isEmpty() ? 0 : Instant.parse(at).getEpochSecond();
        } catch (DateTimeParseException e) {
            return 0;
        }
    }

    private static long free(Path folder) {
        try {
            return Files.getFileStore(folder).getUsableSpace();
        } catch (IOException e) {
            return 0;
        }
    }

    /** Files come and go meanwhile. */
    private static long bytes(Path folder) {
        AtomicLong sum = new AtomicLong();
        try {
            Files.walkFileTree(folder, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                    sum.addAndGet(attributes.size());
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFileFailed(Path file, IOException e) {
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            return sum.get();
        }
        return sum.get();
    }
}
