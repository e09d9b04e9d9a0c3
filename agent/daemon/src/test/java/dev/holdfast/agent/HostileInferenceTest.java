package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.management.ThreadMXBean;
import dev.holdfast.attestation.Attester;
import dev.holdfast.attestation.ChallengeQueue;
import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.attestation.PlatformLogs;
import dev.holdfast.control.ChallengeReply;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.InferencePaths;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Evidence;
import dev.holdfast.link.EvidenceAssembly;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.testkit.HostileInference;
import dev.holdfast.testkit.HostileInference.Behaviour;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The agent's own classes on the socket of an inference process that was taken over. Whatever it does, remote attestation answers in
 * time, each call ends typed and within its bounds, and when the process is itself again, so is the evidence.
 */
class HostileInferenceTest {
    private static final Topics DEVICE = new Topics("fleet", "device-1");
    /** What one call may allocate: the reply, and the nodes that it becomes. */
    private static final long MAX_ALLOCATED_BYTES = 96L << 20;
    /** What the agent takes of one reply, and what the kernel buffers of it. */
    private static final long MAX_TAKEN_BYTES = (512 << 10) + (1 << 20);

    private static final int REMOTE = 4;

    @TempDir
    Path dir;

    private final Map<Binary, EvidenceAssembly> asked = new ConcurrentHashMap<>();
    private final Map<Binary, Binary> answered = new ConcurrentHashMap<>();
    private final AtomicLong longestNanos = new AtomicLong();
    private Path socket;
    private HostileInference hostile;
    private SoftwareBridge bridge;
    private EventLog log;
    private ModelMeasurements measurements;
    private ChallengeQueue queue;
    private EvidenceResponder responder;

    private static Sha256 hash(String text) {
        return Sha256.of(text.getBytes(StandardCharsets.UTF_8));
    }

    private static final Slot SLOT =
            new Slot("models/m/1/model.gguf", "m", "1", 1, 1, hash("m"), 10, 0, Json.object(), Json.object());

    @BeforeEach
    void open() throws Exception {
        socket = dir.resolve("control.sock");
        hostile = HostileInference.open(socket);
        hostile.says(InferencePaths.STATUS, """
                {"default":"m","serving":[{"model":"m","version":"1","slot":"%s","digest":"%s","tokenizer":"%s"}],\
                "candidates":[],"draining":0,"requestsActive":0,"memory":{"usedBytes":0,"budgetBytes":1},\
                "startedAtMillis":1,"pid":1}""".formatted(SLOT.slotId(), SLOT.digest(), hash("tokenizer")));
        hostile.says(InferencePaths.CHALLENGES, "{\"nonces\":[]}");
        hostile.says(InferencePaths.FLIP, "{\"pauseMicros\":1,\"previous\":null}");
        hostile.says(InferencePaths.LOG, "{\"lines\":[\"a line\"]}");
        hostile.says(InferencePaths.CANDIDATE, "{\"passed\":true,\"loadMillis\":1,\"checks\":[]}");
        hostile.says(InferencePaths.GRACE, "{\"passed\":true,\"loadMillis\":1,\"checks\":[]}");
        bridge = SoftwareBridge.open(dir.resolve("tee"));
        log = EventLog.open(dir.resolve("log"), bridge.register().orElseThrow());
        log.agentStarted("holdfast", "1");
        measurements = new ModelMeasurements(log, slot -> Optional.of(hash("tokenizer")));
        measurements.ensure(pointer());
        Attester attester = new Attester(
                bridge,
                log,
                new Attester.Surroundings("holdfast", "1", Map::of, probe(), TreeMap::new, PlatformLogs.none()));
        queue = new ChallengeQueue(attester::attest, ChallengeQueue.Limits.DEFAULT);
        responder = new EvidenceResponder(queue, new FleetSeals(DEVICE, List::of, Clock.systemUTC()), this::published);
    }

    @AfterEach
    void close() throws Exception {
        queue.close();
        hostile.close();
        log.close();
        bridge.close();
    }

    private static Pointer pointer() {
        return Pointer.NOTHING.with(new PointerEntry(SLOT, Optional.empty()));
    }

    private ServingProbe probe() {
        return new ServingProbe(
                new InferenceClient(socket, InferenceClient.Deadlines.PROMPT),
                HostileInferenceTest::pointer,
                measurements);
    }

    private void published(byte[] message) {
        if (Evidence.decode(message) instanceof Verdict.Accepted<Evidence>(Evidence part)) {
            EvidenceAssembly assembly = asked.get(part.nonce());
            if (assembly != null) {
                assembly.take(part).ifPresent(whole -> answered.put(part.nonce(), whole));
            }
        }
    }

    private static Binary nonce(int number) {
        return Binary.copyOf(ByteBuffer.allocate(32).putInt(number).array());
    }

    private interface Call {
        Object run() throws IOException;
    }

    /** Each call of the agent to the process on a thread of its own: a value or an {@link IOException}, within its bounds. */
    private void everyCallEndsWithinItsBounds() throws InterruptedException {
        InferenceClient client = new InferenceClient(
                socket,
                new InferenceClient.Deadlines(Duration.ofMillis(300), Duration.ofMillis(300), Duration.ofMillis(300)));
        Map<String, Call> calls = Map.of(
                "status", client::status,
                "prepare", () -> client.prepare(SLOT),
                "grace", () -> client.grace(SLOT),
                "flip", () -> client.flip(SLOT.slotId()),
                "discard", () -> nothing(() -> client.discard(SLOT.slotId())),
                "keep", () -> nothing(() -> client.keep(new ServingSet(Optional.of("m"), List.of("m")))),
                "log", client::recentLog,
                "challenges", client::challenges,
                "deliver",
                        () -> nothing(() -> client.deliver(
                                new ChallengeReply(nonce(1), Verdict.accepted(Binary.copyOf(new byte[100_000]))))));
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        Map<String, Throwable> untyped = new ConcurrentHashMap<>();
        Map<String, Long> allocated = new ConcurrentHashMap<>();
        List<Thread> running = new ArrayList<>();
        calls.forEach((name, call) -> running.add(Thread.ofPlatform().start(() -> {
            long begun = System.nanoTime();
            long before = threads.getCurrentThreadAllocatedBytes();
            try {
                call.run();
            } catch (IOException e) {
                assertThat(e.getMessage()).isNotBlank();
            } catch (RuntimeException | Error e) {
                untyped.put(name, e);
            }
            allocated.put(name, threads.getCurrentThreadAllocatedBytes() - before);
            longestNanos.accumulateAndGet(System.nanoTime() - begun, Math::max);
        })));
        for (Thread thread : running) {
            thread.join(10_000);
            assertThat(thread.isAlive()).as("a call that does not end").isFalse();
        }
        assertThat(untyped).isEmpty();
        assertThat(allocated)
                .allSatisfy((name, bytes) -> assertThat(bytes).as(name).isLessThan(MAX_ALLOCATED_BYTES));
        assertThat(longestNanos.get()).isLessThan(TimeUnit.SECONDS.toNanos(5));
    }

    private interface Work {
        void run() throws IOException;
    }

    private static Object nothing(Work work) throws IOException {
        work.run();
        return List.of();
    }

    @ParameterizedTest
    @EnumSource(Behaviour.class)
    void remoteAttestationGoesOnWithinItsBounds(Behaviour behaviour) throws Exception {
        hostile.behave(behaviour);
        InferenceClient collected = new InferenceClient(socket);
        try (ChallengeCollector collector = ChallengeCollector.start(collected, queue)) {
            assertThat(collector).isNotNull();
            everyCallEndsWithinItsBounds();
            long begun = System.nanoTime();
            for (int i = 1; i <= REMOTE; i++) {
                asked.put(nonce(i), new EvidenceAssembly(nonce(i)));
                responder.received(new Challenge(nonce(i)).encode());
            }
            await().atMost(Duration.ofSeconds(5)).until(() -> answered.size() == REMOTE);
            System.out.printf(
                    "%-22s %d remote challenges in %4d ms, longest call %4d ms, %d KiB taken in %d requests%n",
                    behaviour,
                    REMOTE,
                    (System.nanoTime() - begun) / 1_000_000,
                    longestNanos.get() / 1_000_000,
                    hostile.bytesTaken() >> 10,
                    hostile.requests());
            assertThat(hostile.bytesTaken()).isLessThan((hostile.requests() + 8L) * MAX_TAKEN_BYTES);
            // One for each call above and for each challenge, the collector's, and the evidence that it brings.
            assertThat(hostile.mostOpen()).isLessThanOrEqualTo(16);
            assertThat(log.contents().size()).isLessThan(80);

            hostile.behave(Behaviour.HONEST);
            List<ModelEvent> serving = probe().now();
            assertThat(serving).extracting(ModelEvent::model).containsExactly("m");
            assertThat(serving.getFirst().digest()).isEqualTo(SLOT.digest());
        }
        assertThat(log.broken()).isEmpty();
    }

    /** The attack: something else at each challenge, for as long as there are challenges; then the agent is started again. */
    @ParameterizedTest
    @EnumSource(names = {"NEW_DIGEST_EACH_TIME", "NEW_TOKENIZER_EACH_TIME"})
    void whatItSaysAtEachChallengeFillsNoLogAndTheAgentStarts(Behaviour behaviour) throws Exception {
        hostile.behave(behaviour);
        ServingProbe probe = probe();
        for (int i = 0; i < 300; i++) {
            log.confirm(log.changes(), probe.now());
        }
        assertThat(log.contents()).hasSizeLessThan(80);
        log.close();
        log = EventLog.open(dir.resolve("log"), bridge.register().orElseThrow());
        log.agentStarted("holdfast", "2");
        assertThat(log.broken()).isEmpty();
        assertThat(log.contents()).hasSizeLessThan(80);
    }
}
