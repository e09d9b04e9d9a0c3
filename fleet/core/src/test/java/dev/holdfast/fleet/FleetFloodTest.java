package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.DeviceName;
import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.testkit.HostileDevice;
import dev.holdfast.testkit.HostileDevice.Flood;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The fleet service on a real broker without an access list, where one client says whatever it likes, while a genuine device
 * enrols, asks and reports.
 */
@Timeout(120)
class FleetFloodTest {
    private static final Path MOSQUITTO = Path.of("/usr/sbin/mosquitto");
    private static final Duration LIMIT = Duration.ofSeconds(30);
    /** An answer that takes longer than this came late: devices wait 10 s. */
    private static final Duration BOUND = Duration.ofSeconds(2);

    private static final int PER_SECOND = 2_000;
    private static final int QUESTIONS = 20;

    @TempDir
    static Path dir;

    private static int port;
    private static Optional<Process> broker = Optional.empty();
    private static FleetDirectory directory = new FleetDirectory(Path.of(""));
    private static Optional<FleetService> service = Optional.empty();
    private static Sha256 blob = Sha256.of(new byte[0]);

    @BeforeAll
    static void start() throws Exception {
        assumeThat(MOSQUITTO).as("this test needs mosquitto").exists();
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = probe.getLocalPort();
        }
        Path conf = Files.writeString(
                dir.resolve("mosquitto.conf"),
                "listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n".formatted(port));
        broker = Optional.of(new ProcessBuilder(MOSQUITTO.toString(), "-c", conf.toString())
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve("mosquitto.log").toFile())
                .start());
        directory = new FleetDirectory(dir.resolve("fleet"));
        FleetRepository repository = new FleetRepository(directory, Clock.systemUTC());
        String address = "tcp://127.0.0.1:" + port;
        repository.init(new FleetDirectory.Config("test", address));
        blob = SampleRelease.sign(repository, "chat", "1.0.0", new byte[2_000_000])
                .digest();
        for (String device : List.of("device-1", "device-2")) {
            DesiredModels.add(repository, device, "chat", new DesiredModels.Wish("1.0.0", Optional.empty()), true);
        }
        Files.writeString(directory.root().resolve("enrolment.json"), "{\"format\":1, \"software\":true}");
        FleetResponder responder =
                new FleetResponder(repository, FleetKeys.DIRECTOR.load(directory.keys()), Clock.systemUTC());
        service = Optional.of(FleetService.start(directory, directory.config(), responder, DeviceWatch.NONE));
        until("the service is connected", () -> service.orElseThrow().connected());
        try (Device one = Device.connect("device-1");
                Device two = Device.connect("device-2")) {
            assertThat(one.enrol()).isTrue();
            assertThat(two.enrol()).isTrue();
        }
    }

    @AfterAll
    static void stop() {
        service.ifPresent(FleetService::close);
        broker.ifPresent(process -> process.destroyForcibly().onExit().join());
    }

    private static void until(String what, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (!condition.call()) {
            assertThat(System.nanoTime()).as(what).isLessThan(end);
            Thread.sleep(20);
        }
    }

    /** What a device does on the wire, and how long each answer takes. */
    private static final class Device implements AutoCloseable {
        private final Topics topics;
        private final MqttLink link;
        private final Map<Binary, BlockingQueue<Reply.Body>> waiting = new ConcurrentHashMap<>();
        private final List<Long> millis = Collections.synchronizedList(new ArrayList<>());

        private Device(String name) {
            this.topics = new Topics("test", name);
            LinkConfig config = LinkConfig.of(
                            "tcp://127.0.0.1:" + port, name + "-" + UUID.randomUUID(), List.of(topics.answer()))
                    .withPresence(topics.online());
            this.link = ReconnectingLink.open(config, this::received);
        }

        static Device connect(String name) throws Exception {
            Device device = new Device(name);
            until(name + " is connected", device.link::connected);
            return device;
        }

        private void received(MqttLink.Inbound message) {
            if (Reply.decode(message.payload()) instanceof Verdict.Accepted<Reply>(Reply reply)) {
                Optional.ofNullable(waiting.get(reply.id())).ifPresent(queue -> queue.add(reply.body()));
            }
        }

        /** Empty where no answer came within the bound. */
        Optional<Reply.Body> ask(Request.Body body) throws Exception {
            UUID random = UUID.randomUUID();
            Binary id = Binary.copyOf(ByteBuffer.allocate(Request.ID_BYTES)
                    .putLong(random.getMostSignificantBits())
                    .putLong(random.getLeastSignificantBits())
                    .array());
            BlockingQueue<Reply.Body> answers = new LinkedBlockingQueue<>();
            waiting.put(id, answers);
            long began = System.nanoTime();
            link.publish(topics.ask(), new Request(id, body).encode(), false);
            Reply.Body answer = answers.poll(BOUND.toMillis(), TimeUnit.MILLISECONDS);
            millis.add((System.nanoTime() - began) / 1_000_000);
            waiting.remove(id);
            return Optional.ofNullable(answer);
        }

        /** Whether the fleet took the keys. */
        boolean enrol() throws Exception {
            try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee-" + topics.device()))) {
                new AcceptedKeys(directory, Clock.systemUTC())
                        .decide(KeyLine.accepting(DeviceName.endorsement(bridge)), "accept");
                DeviceEnrolment enrolment = new DeviceEnrolment(bridge, topics.device());
                if (ask(new Request.Enrol(Binary.copyOf(enrolment.request()))).orElse(null)
                        instanceof Reply.Enrolment(Binary challenge)) {
                    Binary proof =
                            Binary.copyOf(enrolment.prove(challenge.toArray()).orThrow());
                    return ask(new Request.Prove(proof)).orElse(null) instanceof Reply.Enrolment;
                }
                return false;
            }
        }

        /** How many of its questions were answered, by what was asked for and within the bound. */
        int answered() throws Exception {
            int answered = 0;
            for (int i = 0; i < QUESTIONS; i++) {
                byte[] nonce =
                        ByteBuffer.allocate(32).putLong(System.nanoTime()).array();
                Request.Body body = switch (i % 3) {
                    case 0 -> new Request.Metadata("timestamp.json", 0);
                    case 1 -> new Request.Director(Binary.copyOf(nonce), 0);
                    default -> new Request.Leaves(blob, 0, 10);
                };
                Optional<Reply.Body> answer = ask(body);
                boolean good = answer.filter(reply -> reply instanceof Reply.Part || reply instanceof Reply.Leaves)
                        .isPresent();
                answered += good ? 1 : 0;
            }
            return answered;
        }

        String times() {
            List<Long> sorted = millis.stream().sorted().toList();
            return "median " + sorted.get(sorted.size() / 2) + " ms, longest " + sorted.getLast() + " ms";
        }

        @Override
        public void close() {
            link.close();
        }
    }

    private static HostileDevice hostile() throws Exception {
        return HostileDevice.connect("127.0.0.1", port, "test");
    }

    private static void awaitFlood(Flood flood) throws Exception {
        until("the flood runs", () -> flood.sent() > PER_SECOND / 2);
    }

    /** Prints what came of an attack. */
    private static void print(String attack, Flood flood, Device device) {
        System.out.printf(
                "flood of the fleet service: %s, %d messages at %d a second: %s%n",
                attack, flood.sent(), PER_SECOND, device.times());
    }

    @Test
    void aFloodOfMadeUpNamesLeavesADeviceItsAnswers() throws Exception {
        try (HostileDevice hostile = hostile();
                Device device = Device.connect("device-1");
                Flood flood = hostile.flood(
                        HostileDevice.alternating(List.of(
                                hostile.fromMadeUpNames(hostile.metadata("x")),
                                hostile.fromMadeUpNames(hostile.orders("x")),
                                hostile.fromMadeUpNames(hostile.blocks("x", blob)),
                                hostile.fromMadeUpNames("online", new byte[] {'1'}))),
                        PER_SECOND)) {
            awaitFlood(flood);
            assertThat(device.answered()).isEqualTo(QUESTIONS);
            print("made-up names", flood, device);
            assertThat(flood.broken()).isFalse();
        }
    }

    /** On a broker with an access list, this is the worst that the client of an enrolled device can do. */
    @Test
    void aFloodOfOneDeviceLeavesAnotherItsAnswers() throws Exception {
        try (HostileDevice hostile = hostile();
                Device device = Device.connect("device-1");
                Flood flood = hostile.flood(
                        HostileDevice.alternating(List.of(
                                hostile.blocks("device-2", blob),
                                hostile.orders("device-2"),
                                hostile.metadata("device-2"))),
                        PER_SECOND)) {
            awaitFlood(flood);
            assertThat(device.answered()).isEqualTo(QUESTIONS);
            print("one enrolled device", flood, device);
            assertThat(flood.broken()).isFalse();
        }
    }

    /** Without an access list anybody may ask in its name: it waits behind that, but not for ever. */
    @Test
    void aFloodInADevicesOwnNameDoesNotSilenceIt() throws Exception {
        try (HostileDevice hostile = hostile();
                Device device = Device.connect("device-1");
                Flood flood = hostile.flood(hostile.metadata("device-1"), PER_SECOND)) {
            awaitFlood(flood);
            // As a device does: it asks again.
            until("an order and the metadata", () -> device.answered() > 0);
            print("in its own name", flood, device);
        }
    }

    @Test
    void junkAndWhatIsTooLongLeaveADeviceItsAnswers() throws Exception {
        try (HostileDevice hostile = hostile();
                Device device = Device.connect("device-1");
                Flood flood = hostile.flood(
                        HostileDevice.alternating(List.of(
                                hostile.junk("device-2", "ask", 200, 1),
                                hostile.junk("device-2", "ask", 40_000, 2),
                                hostile.junk("device-2", "status", 60_000, 3),
                                hostile.evidenceParts("device-2", new byte[32], 4),
                                hostile.junk("a/b", "ask", 10, 5))),
                        PER_SECOND / 4)) {
            until("the flood runs", () -> flood.sent() > PER_SECOND / 8);
            assertThat(device.answered()).isEqualTo(QUESTIONS);
            print("junk", flood, device);
        }
    }

    @Test
    void aNewDeviceEnrolsAndReportsAfterAndDuringAFloodOfMadeUpNames() throws Exception {
        byte[] report = "{\"state\":\"idle\"}".getBytes(StandardCharsets.US_ASCII);
        try (HostileDevice hostile = hostile()) {
            for (int i = 0; i < 10_200; i++) {
                hostile.publishAcknowledged(hostile.topic("made-up-" + i, "online"), new byte[] {'1'});
            }
            try (Flood flood = hostile.flood(
                            HostileDevice.alternating(List.of(
                                    hostile.fromMadeUpNames(hostile.metadata("x")),
                                    hostile.fromMadeUpNames("status", report),
                                    hostile.fromMadeUpNames("online", new byte[] {'1'}))),
                            PER_SECOND);
                    Device device = Device.connect("device-new")) {
                awaitFlood(flood);
                until("the new device is enrolled", device::enrol);
                device.link.publish(device.topics.status(), report, true);
                until("its report is kept", () -> Files.exists(directory.report("device-new")));
                until("its presence is kept", () -> Files.exists(directory.online("device-new")));
                print("a new device enrols", flood, device);
            }
        }
        try (var files = Files.list(directory.reports())) {
            assertThat(files.map(file -> String.valueOf(file.getFileName())))
                    .as("made-up names have no files")
                    .noneMatch(name -> name.startsWith("made-up") || name.startsWith("ghost"));
        }
    }

    @Test
    void aDeviceThatIsNotEnrolledIsToldSoWhenItAsksForOrders() throws Exception {
        try (Device stranger = Device.connect("stranger-1")) {
            Request.Body question = new Request.Director(Binary.copyOf(new byte[32]), 0);
            assertThat(stranger.ask(question))
                    .containsInstanceOf(Reply.Refused.class)
                    .map(answer -> ((Reply.Refused) answer).code())
                    .hasValue(Code.ATT_NOT_ENROLLED.id());
        }
    }

    /** A service that goes on without one of them looks well and does nothing. */
    @Test
    void theProcessEndsWithEachOfItsThreads() {
        // Of its library's the next task gets a new one.
        List<String> own = Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.matches("(fleet|link)-.*") && !name.startsWith("link-library-"))
                .toList();
        assertThat(own)
                .contains("fleet-reports")
                .allMatch(name -> FleetService.VITAL_THREADS.stream().anyMatch(name::startsWith));
    }
}
