package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Evidence;
import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.tee.tpm.TpmAddress;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Evidence of the whole stack as {@code ./dev up} runs it, with mosquitto and swtpm, beside a bare TPM2_Quote on a TPM of its
 * own; what challenges cost the tokens of a stream; and how many appraisals one core makes.
 */
public final class AttestationBench {
    private static final int CHALLENGES = 400;
    private static final int CHALLENGES_PER_SECOND = 20;
    private static final int GAP_ROUNDS = 4;
    private static final double GOAL_RATIO = 10;
    private static final double GOAL_GAP = 1.05;
    private static final int GOAL_APPRAISALS = 2000;

    private final Path root = Path.of("").toAbsolutePath();
    private final Map<Binary, CompletableFuture<Long>> asked = new ConcurrentHashMap<>();
    private final SecureRandom random = new SecureRandom();

    private AttestationBench() {}

    public static void main(String[] arguments) throws Exception {
        new AttestationBench().run();
    }

    private void run() throws Exception {
        Path dir = Files.createTempDirectory("holdfast-bench");
        StringBuilder page = new StringBuilder(Machine.describe()
                + ". Latencies and gaps are of the stack that `./dev up --tee swtpm --broker mosquitto`"
                + " starts, each in a process of its own; written by `./dev bench attestation`.\n\n"
                + "| what | figure | goal |\n"
                + "|---|---|---|\n");
        try {
            VerifierRate.Result rate = VerifierRate.measure(dir);
            JsonNode stack = up(dir.resolve("stack"));
            Topics topics = new Topics("demo", stack.path("device").asText());
            try (MqttLink link = ReconnectingLink.open(
                    LinkConfig.of(stack.path("broker").asText(), "holdfast-bench", List.of(topics.evidence())),
                    this::received)) {
                awaitConnected(link);
                latency(dir, link, topics, page);
                Path socket = Path.of(stack.path("inference_socket").asText());
                gaps(socket, 100, "paced at 100 tokens/s", link, topics, page);
                gaps(socket, 0, "as fast as it goes", link, topics, page);
            } finally {
                dev(List.of("down", dir.resolve("stack").toString()));
            }
            row(
                    page,
                    "appraisals on one core, ES256, %d devices in turn, logs of %d events (%d bytes of evidence)"
                            .formatted(VerifierRate.DEVICES, VerifierRate.EVENTS, rate.evidenceBytes()),
                    "%.0f each second of a core's time (%.0f by the clock); with the JDK's ES256 the two signatures alone would allow %.0f"
                            .formatted(
                                    rate.appraisals().ofCore(),
                                    rate.appraisals().byClock(),
                                    rate.jdkSignatures().ofCore()),
                    GOAL_APPRAISALS + " each second",
                    rate.appraisals().ofCore() >= GOAL_APPRAISALS);
        } finally {
            System.out.println(page);
        }
        PerformancePage.replace("attestation", page.toString());
    }

    private static void row(StringBuilder page, String what, String figure, String goal, boolean met) {
        page.append("| %s | %s | %s: %s |\n".formatted(what, figure, goal, met ? "met" : "**missed**"));
    }

    // --- Latency ---

    private void latency(Path dir, MqttLink link, Topics topics, StringBuilder page) throws Exception {
        long[] evidence = new long[CHALLENGES];
        long[] quotes = new long[CHALLENGES];
        Process swtpm = swtpm(dir.resolve("tpm"));
        try (Tpm2Bridge bridge = Tpm2Bridge.open(new TpmAddress.Unix(dir.resolve("tpm/sock")))) {
            Quoter quoter = bridge.quoter().orElseThrow();
            for (int i = -CHALLENGES / 2; i < CHALLENGES; i++) {
                Binary nonce = nonce();
                long start = System.nanoTime();
                quoter.quote(Binary.copyOf(Arrays.copyOf(nonce.toArray(), 32)));
                long quoted = System.nanoTime();
                long answered = ask(link, topics, nonce).get(20, TimeUnit.SECONDS);
                if (i >= 0) {
                    quotes[i] = quoted - start;
                    evidence[i] = answered - quoted;
                }
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
            }
        } finally {
            swtpm.destroy();
        }
        double ratio = (double) percentile(evidence, 99) / percentile(quotes, 99);
        row(
                page,
                "evidence, challenge sent to evidence received through the broker",
                "median %.2f ms, p99 %.2f ms; a bare quote of the same register %.2f and %.2f ms: %.1f times at p99"
                        .formatted(
                                percentile(evidence, 50) / 1e6,
                                percentile(evidence, 99) / 1e6,
                                percentile(quotes, 50) / 1e6,
                                percentile(quotes, 99) / 1e6,
                                ratio),
                "p99 at most %.0f times a bare quote".formatted(GOAL_RATIO),
                ratio <= GOAL_RATIO);
    }

    private CompletableFuture<Long> ask(MqttLink link, Topics topics, Binary nonce) throws IOException {
        CompletableFuture<Long> answered = new CompletableFuture<>();
        asked.put(nonce, answered);
        link.publish(topics.challenge(), new Challenge(nonce).encode(), false);
        return answered;
    }

    private void received(MqttLink.Inbound message) {
        long now = System.nanoTime();
        if (Evidence.decode(message.payload()) instanceof Verdict.Accepted<Evidence>(Evidence evidence)) {
            CompletableFuture<Long> answered = asked.remove(evidence.nonce());
            if (answered != null) {
                answered.complete(now);
            }
        }
    }

    private Binary nonce() {
        byte[] nonce = new byte[32];
        random.nextBytes(nonce);
        return Binary.copyOf(nonce);
    }

    // --- Gaps between tokens ---

    private void gaps(Path socket, int tokensPerSecond, String how, MqttLink link, Topics topics, StringBuilder page)
            throws Exception {
        TokenGaps quiet = new TokenGaps();
        TokenGaps challenged = new TokenGaps();
        AtomicInteger answered = new AtomicInteger();
        new TokenGaps().stream(socket, tokensPerSecond, 400); // warm-up
        for (int round = 0; round < GAP_ROUNDS; round++) {
            int tokens = tokensPerSecond == 0 ? 12_000 : 600;
            // Which of the two comes first changes from round to round, as what else this machine does changes slowly.
            for (boolean asks : round % 2 == 0 ? new boolean[] {false, true} : new boolean[] {true, false}) {
                Optional<Thread> flood = asks ? Optional.of(flood(link, topics, answered)) : Optional.empty();
                (asks ? challenged : quiet).stream(socket, tokensPerSecond, tokens);
                if (flood.isPresent()) {
                    flood.get().interrupt();
                    flood.get().join();
                }
            }
        }
        double ratio = (double) challenged.percentile(99) / quiet.percentile(99);
        row(
                page,
                "gap between tokens of a stream, " + how + ", with " + CHALLENGES_PER_SECOND
                        + " challenges a second and without",
                "p99 %.3f and %.3f ms: %+.1f %% (median %.3f and %.3f ms; %d tokens each, %d challenges answered)"
                        .formatted(
                                challenged.percentile(99) / 1e6,
                                quiet.percentile(99) / 1e6,
                                100 * (ratio - 1),
                                challenged.percentile(50) / 1e6,
                                quiet.percentile(50) / 1e6,
                                quiet.count(),
                                answered.get()),
                "p99 within 5 %",
                ratio <= GOAL_GAP);
    }

    private Thread flood(MqttLink link, Topics topics, AtomicInteger answered) {
        return Thread.ofPlatform().name("challenges").start(() -> {
            long next = System.nanoTime();
            while (!Thread.currentThread().isInterrupted()) {
                try {
                    var unused = ask(link, topics, nonce()).thenAccept(at -> answered.incrementAndGet());
                } catch (IOException e) {
                    return;
                }
                next += TimeUnit.SECONDS.toNanos(1) / CHALLENGES_PER_SECOND;
                LockSupport.parkNanos(next - System.nanoTime());
            }
        });
    }

    static long percentile(long[] values, int percent) {
        long[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[Math.min(sorted.length - 1, sorted.length * percent / 100)];
    }

    // --- Processes ---

    private JsonNode up(Path dir) throws Exception {
        String line = dev(List.of("up", dir.toString(), "--tee", "swtpm", "--broker", "mosquitto"));
        return Json.readObject(line.getBytes(java.nio.charset.StandardCharsets.UTF_8), 1 << 16)
                .orThrow();
    }

    private String dev(List<String> arguments) throws Exception {
        List<String> command =
                new java.util.ArrayList<>(List.of(root.resolve("dev").toString()));
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("HOLDFAST_BUILT", "1");
        Process process = builder.start();
        String out = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException("./dev " + String.join(" ", arguments) + " failed");
        }
        return out.strip();
    }

    private static Process swtpm(Path dir) throws Exception {
        Files.createDirectories(dir);
        Process process = new ProcessBuilder(
                        "swtpm",
                        "socket",
                        "--tpm2",
                        "--tpmstate",
                        "dir=" + dir,
                        "--server",
                        "type=unixio,path=" + dir.resolve("sock"),
                        "--ctrl",
                        "type=unixio,path=" + dir.resolve("sock.ctrl"),
                        "--flags",
                        "not-need-init,startup-clear")
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve("log").toFile())
                .start();
        long end = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!Files.exists(dir.resolve("sock"))) {
            if (System.nanoTime() > end) {
                throw new IOException("swtpm does not come up: " + Files.readString(dir.resolve("log")));
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
        }
        return process;
    }

    private static void awaitConnected(MqttLink link) throws IOException {
        long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (!link.connected()) {
            if (System.nanoTime() > end) {
                throw new IOException("no connection to the broker");
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
    }
}
