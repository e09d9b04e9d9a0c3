package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.link.Challenge;
import dev.holdfast.testkit.HostileDevice;
import dev.holdfast.testkit.HostileProgram;
import dev.holdfast.testkit.HostileProgram.Attack;
import dev.holdfast.testkit.HostileProgram.User;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Floods from four positions at once, for ten minutes ({@code -Dholdfast.flood.seconds}): a local program on the inference
 * socket, one that asks for evidence, somebody at the broker who speaks to the device, and one who speaks to the fleet service.
 * Meanwhile another program asks, the model is swapped back and forth, and the device is attested. Nothing may be dropped, and
 * memory stays flat.
 */
@Tag("soak")
class FloodSoakTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);
    private static final long SECONDS = Long.getLong("holdfast.flood.seconds", 600);
    /** What a JVM may still grow between the first third and the end: its code cache, its buffers. */
    private static final double FLAT = 1.15;

    private static final Pattern RESIDENT = Pattern.compile("VmRSS:\\s+(\\d+) kB");
    private static final List<String> PARTS = List.of("agent", "inference", "fleet");

    @TempDir
    static Path dir;

    private final Map<String, List<Integer>> memory = new TreeMap<>();

    @Test
    void nothingIsDroppedAndMemoryIsFlat() throws Exception {
        assertThat(System.getProperty("user.name"))
                .as("who becomes other users")
                .isEqualTo("root");
        try (Stack stack = Stack.prepare(dir.resolve("s"), true)) {
            stack.startBroker();
            stack.startFleet();
            stack.startInference();
            stack.startAgent();
            stack.desire("1.0.0");
            stack.awaitCommitted("1.0.0");
            Tools.until(LIMIT, "enrolled", () -> stack.status().path("enrolled").asBoolean());
            letEverybodyIn(stack);
            String setpriv = Tools.path("setpriv", "util-linux");
            AtomicBoolean done = new AtomicBoolean();
            AtomicInteger answered = new AtomicInteger();
            List<String> dropped = new ArrayList<>();
            Thread asker = Thread.ofPlatform().start(() -> {
                while (!done.get()) {
                    String answer = ask(stack);
                    if (answer.contains("lock_door")) {
                        answered.incrementAndGet();
                    } else {
                        synchronized (dropped) {
                            dropped.add(answer);
                        }
                    }
                }
            });
            int swaps = 0;
            List<Double> attested = new ArrayList<>();
            try (HostileProgram hogs = HostileProgram.start(
                            setpriv, User.NOBODY, Attack.SLOW_STREAM, stack.socket("inference"), 100);
                    HostileProgram bodies = HostileProgram.start(
                            setpriv,
                            new User(65_533, 65_533, List.of()),
                            Attack.ENDLESS_BODY,
                            stack.socket("inference"),
                            100);
                    HostileProgram evidence = HostileProgram.start(
                            setpriv,
                            new User(65_532, 65_532, List.of()),
                            Attack.EVIDENCE,
                            stack.socket("inference"),
                            4);
                    HostileDevice network = HostileDevice.connect("127.0.0.1", stack.port, "demo")) {
                List<HostileDevice.Flood> floods = List.of(
                        network.flood(challenges(network), 200),
                        network.flood(hints(network), 50),
                        network.flood(network.fromMadeUpNames(network.orders("any")), 300),
                        network.flood(network.fromMadeUpNames("online", new byte[] {'1'}), 100),
                        network.flood(network.junk("device-1", "answer", 2000, 7), 50));
                long begun = System.nanoTime();
                while (System.nanoTime() - begun < TimeUnit.SECONDS.toNanos(SECONDS)) {
                    String next = swaps % 2 == 0 ? "2.0.0" : "1.0.0";
                    stack.desire(next);
                    stack.awaitCommitted(next);
                    swaps++;
                    long asked = System.nanoTime();
                    Tools.Ran ran = stack.command(
                            Stack.FLEET,
                            "attest",
                            "--dir",
                            stack.dir.resolve("fleet").toString(),
                            "--min-assurance",
                            "emulated",
                            "device-1");
                    assertThat(ran.status()).as(ran.out() + ran.err()).isZero();
                    attested.add((System.nanoTime() - asked) / 1e9);
                    sample(stack);
                }
                System.out.println("floods: hogs " + hogs.tally() + ", bodies " + bodies.tally() + ", evidence "
                        + evidence.tally() + ", messages "
                        + floods.stream().mapToLong(HostileDevice.Flood::sent).sum());
                assertThat(floods).noneMatch(HostileDevice.Flood::broken);
            }
            done.set(true);
            asker.join();
            attested.sort(null);
            System.out.printf(
                    "flood of %d s: %d answered, %d dropped, %d swaps, attested in %.1f s (median) and %.1f s (worst)%n",
                    SECONDS,
                    answered.get(),
                    dropped.size(),
                    swaps,
                    attested.get(attested.size() / 2),
                    attested.getLast());
            for (String part : PARTS) {
                System.out.printf("memory of %s in MiB: %s%n", part, memory.getOrDefault(part, List.of()));
            }
            assertThat(dropped).isEmpty();
            assertThat(answered.get()).isGreaterThan(swaps);
            for (String part : PARTS) {
                List<Integer> all = memory.getOrDefault(part, List.of());
                int third = all.size() / 3;
                assertThat((double) median(all.subList(all.size() - third, all.size())))
                        .as("MiB of " + part + ": " + all)
                        .isLessThanOrEqualTo(FLAT * median(all.subList(third / 2, third + third / 2 + 1)));
            }
            stack.assertNoTraces();
        }
    }

    /** Well-formed challenges that nobody signed, each with a nonce of its own. */
    private static HostileDevice.Messages challenges(HostileDevice network) {
        return n -> {
            byte[] nonce = ByteBuffer.allocate(32).putLong(n).array();
            return new HostileDevice.Message(
                    network.topic("device-1", "challenge"),
                    new Challenge(Binary.copyOf(nonce), Optional.empty()).encode());
        };
    }

    private static HostileDevice.Messages hints(HostileDevice network) {
        return n -> new HostileDevice.Message(network.topic("device-1", "desired"), new byte[] {(byte) n});
    }

    private static void letEverybodyIn(Stack stack) throws IOException {
        HostileProgram.letIn(stack.dir.resolve("run"));
        Files.setPosixFilePermissions(stack.socket("inference"), PosixFilePermissions.fromString("rw-rw-rw-"));
    }

    private static int median(List<Integer> all) {
        int[] sorted = all.stream().mapToInt(Integer::intValue).toArray();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    private void sample(Stack stack) throws IOException {
        for (String part : PARTS) {
            Matcher found = RESIDENT.matcher(Files.readString(
                    Path.of("/proc", String.valueOf(stack.process(part).pid()), "status")));
            assertThat(found.find()).isTrue();
            memory.computeIfAbsent(part, name -> new ArrayList<>()).add(Integer.parseInt(found.group(1)) / 1024);
        }
    }

    /** An answer, or what came in its place. */
    private static String ask(Stack stack) {
        ObjectNode body = Json.object();
        body.putArray("messages").addObject().put("role", "user").put("content", "lock the front door");
        String post = UnixSocket.post("/v1/chat/completions", new String(Json.write(body), StandardCharsets.UTF_8));
        try {
            return new String(
                    UnixSocket.exchange(stack.socket("inference"), post.getBytes(StandardCharsets.UTF_8)),
                    StandardCharsets.UTF_8);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
