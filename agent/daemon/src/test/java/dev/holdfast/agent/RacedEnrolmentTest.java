package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.link.BrokerAccess;
import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.DeviceTls;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Somebody who reaches the topics of a device answers its {@code prove} before the fleet does, with an authority of their own. The broker
 * lets in nobody without the fleet's certificate, so a device that believed them would be out for good.
 */
class RacedEnrolmentTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final Duration ANSWER = Duration.ofSeconds(5);
    private static final Topics TOPICS = new Topics("fleet", "device-1");

    @TempDir
    Path dir;

    private final Instant start = Instant.now().minus(Duration.ofHours(2));
    private final TestAuthority fleet = new TestAuthority(start);
    private final TestAuthority attacker = new TestAuthority(start);
    private final List<MqttLink> links = new ArrayList<>();
    private TeeBridge bridge;
    private @Nullable Process broker;
    private int plain;
    private int tls;
    private CertificateStore store;

    @BeforeEach
    void open() throws Exception {
        bridge = SoftwareBridge.open(dir.resolve("tee"));
        try (ServerSocket one = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                ServerSocket two = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            plain = one.getLocalPort();
            tls = two.getLocalPort();
        }
        KeyPair server = P256.generate();
        Files.writeString(dir.resolve("broker-ca.crt"), TestAuthority.pem("CERTIFICATE", fleet.own()));
        Files.writeString(
                dir.resolve("server.crt"), TestAuthority.pem("CERTIFICATE", fleet.server(server.getPublic())));
        Files.writeString(
                dir.resolve("server.key"),
                TestAuthority.pem("PRIVATE KEY", server.getPrivate().getEncoded()));
        Files.writeString(dir.resolve("mosquitto.conf"), """
                user root
                per_listener_settings true
                log_type all
                listener %d 127.0.0.1
                allow_anonymous true
                listener %d 127.0.0.1
                cafile %3$s/clients.crt
                certfile %3$s/server.crt
                keyfile %3$s/server.key
                require_certificate true
                use_identity_as_username true
                """.formatted(plain, tls, dir));
        broker(fleet);
        store = CertificateStore.open(
                dir.resolve("certificates"),
                Binary.copyOf(bridge.signer().orElseThrow().publicKey().getEncoded()),
                true,
                InstantSource.system());
    }

    @AfterEach
    void close() throws Exception {
        links.forEach(MqttLink::close);
        stopBroker();
        bridge.close();
    }

    private void broker(TestAuthority... trusted) throws Exception {
        StringBuilder pem = new StringBuilder();
        for (TestAuthority one : trusted) {
            pem.append(TestAuthority.pem("CERTIFICATE", one.own()));
        }
        Files.writeString(dir.resolve("clients.crt"), pem);
        broker = new ProcessBuilder(
                        DeviceTlsTest.program("mosquitto").toString(),
                        "-c",
                        dir.resolve("mosquitto.conf").toString(),
                        "-v")
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        dir.resolve("mosquitto.log").toFile()))
                .start();
        await(() -> {
            try (Socket one = new Socket(InetAddress.getLoopbackAddress(), plain);
                    Socket two = new Socket(InetAddress.getLoopbackAddress(), tls)) {
                return one.isConnected() && two.isConnected();
            }
        });
    }

    private void stopBroker() {
        if (broker != null) {
            Objects.requireNonNull(broker).destroyForcibly().onExit().join();
        }
    }

    private static void await(Callable<Boolean> condition) {
        Awaitility.await().atMost(LIMIT).pollInterval(Duration.ofMillis(10)).until(() -> {
            try {
                return condition.call();
            } catch (IOException e) {
                return false;
            }
        });
    }

    private LinkConfig config(String uri, String name, String... topics) {
        return LinkConfig.of(uri, name, List.of(topics))
                .withPace(LinkConfig.Pace.DEFAULT.answer(), Duration.ofMillis(20), Duration.ofMillis(100));
    }

    /** Somebody with the broker's ordinary listener. */
    private MqttLink client(String name, String topic, MqttLink.Receiver receiver) {
        MqttLink link = ReconnectingLink.open(config("tcp://127.0.0.1:" + plain, name, topic), receiver);
        links.add(link);
        await(link::connected);
        return link;
    }

    /** The device, by the listener that asks for a certificate. */
    private FleetClient device() throws Exception {
        FleetClient client = new FleetClient(TOPICS, ANSWER);
        DeviceSigner signer = bridge.signer().orElseThrow();
        LinkConfig secured = config("ssl://localhost:" + tls, "device-1", TOPICS.answer())
                .with(new BrokerAccess(
                        Optional.empty(),
                        Optional.of((BrokerAccess.ClientKey.Held) () -> DeviceTls.keys(signer, store.offered())),
                        List.of(dir.resolve("broker-ca.crt"))));
        MqttLink link = ReconnectingLink.open(secured, message -> client.received(message.payload()));
        links.add(link);
        client.use(link);
        return client;
    }

    private Optional<Rejection> enrol(FleetClient client, Set<Sha256> named) throws Exception {
        return new Enrolment(
                        bridge, "device-1", Optional.empty(), client, store, InstantSource.system(), new Random(17))
                .run(named);
    }

    private static @Nullable Request asked(MqttLink.Inbound message) {
        return Request.decode(message.payload()) instanceof Verdict.Accepted<Request>(Request request) ? request : null;
    }

    private static void answer(MqttLink link, Request to, byte[] message) {
        try {
            link.publish(
                    TOPICS.answer(), new Reply(to.id(), new Reply.Enrolment(Binary.copyOf(message))).encode(), false);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The fleet service. It answers {@code prove} with what {@code issuer} issues, when {@code first} was counted down. */
    private void service(TestAuthority issuer, CountDownLatch first) throws Exception {
        EnrolmentAuthority.Attempt[] open = new EnrolmentAuthority.Attempt[1];
        MqttLink[] link = new MqttLink[1];
        link[0] = client("service", TOPICS.ask(), message -> {
            Request request = asked(message);
            try {
                if (request != null && request.body() instanceof Request.Enrol(Binary enrol)) {
                    open[0] = EnrolmentAuthority.begin(
                                    enrol.toArray(), EnrolmentPolicy.DEFAULT.withSoftware(), Clock.systemUTC())
                            .orThrow();
                    answer(link[0], request, open[0].challenge());
                } else if (request != null && request.body() instanceof Request.Prove(Binary proof)) {
                    open[0].complete(proof.toArray()).orThrow();
                    assertThat(first.await(LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
                    answer(
                            link[0],
                            request,
                            EnrolmentAuthority.welcome(issuer.issue(
                                    "device-1", bridge, Instant.now().minusSeconds(60))));
                }
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
    }

    /** Answers {@code prove} before the service does: with certificates for the device's own keys, by an authority of the same name. */
    private CountDownLatch raced(byte[] welcome) {
        CountDownLatch answered = new CountDownLatch(1);
        MqttLink[] link = new MqttLink[1];
        link[0] = client("attacker", TOPICS.ask(), message -> {
            Request request = asked(message);
            if (request != null && request.body() instanceof Request.Prove) {
                answer(link[0], request, welcome);
                answered.countDown();
            }
        });
        return answered;
    }

    private byte[] forged() throws Exception {
        return EnrolmentAuthority.welcome(
                attacker.issue("device-1", bridge, Instant.now().minusSeconds(60)));
    }

    private DeviceEnrolment.Issued issued(TestAuthority by) throws Exception {
        return by.issue("device-1", bridge, Instant.now().minusSeconds(60));
    }

    private String authority(Set<Sha256> named) {
        return store.status(named).path("authority").asText();
    }

    @Test
    void anAnswerThatComesBeforeTheFleetsReplacesNothing() throws Exception {
        store.keep(issued(fleet));
        FleetClient client = device();
        await(client::connected);
        store.connected();
        CountDownLatch first = raced(forged());
        service(fleet, first);
        Set<Sha256> named = Set.of(fleet.key());
        assertThat(enrol(client, named)).isEmpty();
        assertThat(first.getCount()).isZero();
        reconnects(client);
        assertThat(authority(named)).isEqualTo(fleet.key().hex());
        // And so it is where the root names nobody, since the fleet was first.
        assertThat(enrol(client, Set.of())).isEmpty();
        reconnects(client);
        assertThat(authority(Set.of())).isEqualTo(fleet.key().hex());
    }

    /** The broker asks for the certificate again. */
    private void reconnects(FleetClient client) throws Exception {
        stopBroker();
        await(() -> !client.connected());
        broker(fleet);
        // Fleet and attacker come back by themselves, too.
        await(() -> links.stream().allMatch(MqttLink::connected));
        store.connected();
    }

    @Test
    void aDeviceThatWasNeverEnrolledBelievesTheAuthorityThatItsRootNames() throws Exception {
        FleetClient client = new FleetClient(TOPICS, ANSWER);
        client.use(client("device-1", TOPICS.answer(), message -> client.received(message.payload())));
        service(fleet, raced(forged()));
        assertThat(enrol(client, Set.of(fleet.key()))).isEmpty();
        assertThat(authority(Set.of())).isEqualTo(fleet.key().hex());
        FleetClient secured = device();
        await(secured::connected);
    }

    @Test
    void whereOnlyOthersAnswerTheDeviceKeepsWhatItHasAndSaysSo() throws Exception {
        store.keep(issued(fleet));
        FleetClient client = new FleetClient(TOPICS, ANSWER);
        client.use(client("device-1", TOPICS.answer(), message -> client.received(message.payload())));
        raced(new byte[0]);
        raced(forged());
        service(attacker, new CountDownLatch(0));
        assertThat(enrol(client, Set.of(fleet.key())).orElseThrow().code()).isEqualTo(Code.ATT_CERTIFICATE);
        assertThat(authority(Set.of())).isEqualTo(fleet.key().hex());
    }

    /** The fleet has a new authority, and the broker does not know it yet. */
    @Test
    void aRenewedCertificateThatTheBrokerRefusesLeavesTheOldOneInUse() throws Exception {
        store.keep(issued(fleet));
        TestAuthority newer = new TestAuthority("newer authority", start);
        store.keep(issued(newer));
        FleetClient client = device();
        await(() -> Files.readString(dir.resolve("mosquitto.log")).contains("certificate verify failed"));
        await(client::connected);
        store.connected();
        assertThat(authority(Set.of())).isEqualTo(fleet.key().hex());
        assertThat(dir.resolve("certificates/tls.next.crt")).exists();
        stopBroker();
        await(() -> !client.connected());
        broker(newer);
        await(client::connected);
        store.connected();
        assertThat(authority(Set.of())).isEqualTo(newer.key().hex());
        assertThat(dir.resolve("certificates/tls.next.crt")).doesNotExist();
    }
}
