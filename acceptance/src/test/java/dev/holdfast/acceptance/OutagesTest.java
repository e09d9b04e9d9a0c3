package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A line that fails a hundred times while one model is on its way. */
@Tag("full")
class OutagesTest {
    private static final int OUTAGES = 100;
    private static final int MORE_LAYERS = 60;
    private static final int BYTES_PER_MILLI = 2_000;
    /** As models are published. */
    private static final Duration LIMIT = Duration.ofSeconds(120);

    @TempDir
    Path dir;

    /**
     * Which block was verified when is told by the last time that it was asked for: were one asked for again after it was verified,
     * then fewer blocks than the device counted would have been asked for last between the outages before.
     */
    @Test
    void endInAModelAndNoVerifiedBlockWasPulledTwice() throws Exception {
        try (Stack stack = Stack.prepare(dir, false)) {
            Path deep = dir.resolve("deep.gguf");
            DeeperModel.write(Stack.DEMO.resolve("intent-1.0.0.gguf"), deep, MORE_LAYERS);
            stack.fleet(
                    "publish",
                    "intent",
                    "3.0.0",
                    deep.toString(),
                    "--template",
                    Stack.DEMO.resolve("template.json").toString());
            stack.startBroker();
            stack.startFleet();
            stack.startInference();
            try (Cable cable = new Cable(stack.port);
                    Tap tap = Tap.open(stack.broker())) {
                stack.devicePort = cable.port();
                stack.configure();
                Files.createDirectories(dir.resolve("conf.d"));
                Files.writeString(dir.resolve("conf.d/line.toml"), "transport-retries = 8\n");
                cable.slow(BYTES_PER_MILLI);
                stack.desire("3.0.0");
                stack.startAgent();
                Random random = new Random(1);
                List<Integer> verified = new ArrayList<>(List.of(0));
                Map<Integer, Integer> lastAsked = new HashMap<>();
                for (int outage = 1; outage <= OUTAGES; outage++) {
                    int before = verified.getLast();
                    Tools.until(LIMIT, "a block after outage " + (outage - 1), () -> done(stack) > before);
                    Thread.sleep(random.nextInt(60));
                    cable.unplug();
                    Tools.until(LIMIT, "the agent knows", () -> !connected(stack));
                    verified.add(settled(stack));
                    note(tap, outage, lastAsked, verified.getLast());
                    cable.plug();
                }
                int total = stack.status().at("/install/blocksTotal").asInt();
                assertThat(verified.getLast())
                        .as("all outages came before the last block")
                        .isLessThan(total);
                cable.slow(Integer.MAX_VALUE);
                stack.awaitServing("3.0.0");
                stack.awaitCommitted("3.0.0");
                verified.add(total);
                note(tap, OUTAGES + 1, lastAsked, total);

                List<Integer> gained = new ArrayList<>();
                List<Integer> askedLast = new ArrayList<>();
                for (int phase = 1; phase <= OUTAGES + 1; phase++) {
                    int now = phase;
                    gained.add(verified.get(phase) - verified.get(phase - 1));
                    askedLast.add((int) lastAsked.values().stream()
                            .filter(last -> last == now)
                            .count());
                }
                System.out.printf("%d outages within %d blocks; verified between them %s%n", OUTAGES, total, gained);
                assertThat(askedLast)
                        .as("blocks asked for last between outages")
                        .isEqualTo(gained);
                stack.assertNoTraces();
            }
        }
    }

    private static boolean connected(Stack stack) throws Exception {
        return stack.status().path("connected").asBoolean();
    }

    private static int done(Stack stack) throws Exception {
        return stack.status().at("/install/blocksDone").asInt();
    }

    /** How many blocks are verified when those that had arrived are worked off. */
    private static int settled(Stack stack) throws Exception {
        for (int last = -1, same = 0; ; ) {
            int now = done(stack);
            same = now == last ? same + 1 : 0;
            if (same == 3) {
                return now;
            }
            last = now;
            Thread.sleep(20);
        }
    }

    /** Takes up what was asked for since the last time: every block that is verified was asked for, and the tap may hear it later. */
    private static void note(Tap tap, int phase, Map<Integer, Integer> lastAsked, int verified) throws Exception {
        Tools.until(Duration.ofSeconds(30), "the tap heard what was asked for", () -> {
            int size = tap.heard("ask").size();
            Thread.sleep(50);
            if (size != tap.heard("ask").size()) {
                return false;
            }
            tap.blocksAsked().forEach(piece -> lastAsked.put(piece.block(), phase));
            return lastAsked.size() >= verified;
        });
        tap.forget();
    }
}
