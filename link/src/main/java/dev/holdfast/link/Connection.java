package dev.holdfast.link;

import dev.holdfast.wire.Code;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.eclipse.paho.mqttv5.client.IMqttToken;
import org.eclipse.paho.mqttv5.client.MqttAsyncClient;
import org.eclipse.paho.mqttv5.client.MqttCallback;
import org.eclipse.paho.mqttv5.client.MqttClientException;
import org.eclipse.paho.mqttv5.client.MqttDisconnectResponse;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.eclipse.paho.mqttv5.common.MqttException;
import org.eclipse.paho.mqttv5.common.MqttMessage;
import org.eclipse.paho.mqttv5.common.packet.MqttProperties;
import org.jspecify.annotations.Nullable;

/**
 * One connection to a broker by Eclipse Paho's MQTT 5 client, from the first packet to the last: a client, its threads and its socket,
 * which end together. The library is fenced in: it gets whole, checked packets only ({@link PacketFence}), threads of this connection
 * ({@link LibraryThreads}), and a socket that is closed over its head when a deadline passes, which is what ends it for certain. Opened,
 * watched and closed by one thread; messages may be published by any.
 */
final class Connection implements AutoCloseable {
    /** The library prints a trace of its own for each lost connection; held by the field, or the level is forgotten. */
    private static final java.util.logging.Logger LIBRARY =
            java.util.logging.Logger.getLogger("org.eclipse.paho.mqttv5");

    static {
        LIBRARY.setLevel(java.util.logging.Level.OFF);
    }

    /** HiveMQ takes 10 messages before it acknowledges the first; staying at 8 never meets it. */
    static final int MAX_IN_FLIGHT = 8;
    /** A block on a line of 2 kB/s. */
    private static final Duration PACKET_LIMIT = Duration.ofMinutes(2);

    private static final byte[] NO_BYTES = new byte[0];
    /** Of a PUBLISH around topic and payload: MQTT 5.0 section 3.3, without properties. */
    private static final int HEAD_BYTES = 16;

    private static final long FAREWELL_MILLIS = 500;
    private static final long THREADS_END_SECONDS = 5;
    /** The library closes its socket first and says why a moment later. */
    private static final long GIVEN_UP_NANOS = Duration.ofSeconds(2).toNanos();

    /** The socket connects to the broker of the configuration, whatever the library is told. */
    private static final String ANY_ADDRESS = "tcp://127.0.0.1:1883";

    private static final int DISCONNECT_WITH_WILL = 0x04;
    private static final int LIBRARY_TIMEOUT = MqttClientException.REASON_CODE_CLIENT_TIMEOUT;

    private final LinkConfig config;
    private final boolean plainWill;
    private final FencedSocket socket;
    /** The last will of a process before this one may come as late as this after its connection was lost: MQTT 5.0 section 3.1.2.10. */
    private final Duration staleWill;

    private final LibraryThreads threads = new LibraryThreads(this::died);
    private final CountDownLatch over = new CountDownLatch(1);
    private final Semaphore inFlight = new Semaphore(MAX_IN_FLIGHT);
    private final BrokerAnswers answers;

    private volatile @Nullable MqttAsyncClient client;
    private volatile boolean open;
    private volatile @Nullable LinkException end;

    /** @param plainWill as in {@link LibraryOptions#of} */
    Connection(LinkConfig config, boolean plainWill, Consumer<MqttLink.Inbound> received) {
        this.plainWill = plainWill;
        this.config = config;
        this.answers = new BrokerAnswers(config.access().login().isPresent());
        this.staleWill = config.pace().keepAlive().multipliedBy(3).dividedBy(2).plusSeconds(15);
        this.socket = new FencedSocket(config, new PacketFence.Watcher() {
            @Override
            public Packet came(Packet packet) throws LinkException {
                answers.came(packet);
                return switch (packet) {
                    case Packet.ConnAck ack -> ack.within(config.pace().keepAliveSeconds());
                    case Packet.Publish message -> {
                        // The library reads byte by byte: it acknowledges the message and never sees what is in it.
                        received.accept(new MqttLink.Inbound(PlainPacket.ordinary(message.topic()), message.payload()));
                        yield new Packet.Publish(message.topic(), NO_BYTES, message.id());
                    }
                    default -> packet;
                };
            }

            @Override
            public void failed(IOException failure) {
                boolean unanswered = answers.terms() == null && socket.isSecured();
                end(unanswered ? LinkException.unanswered(failure) : LinkException.of(failure));
            }
        });
    }

    // --- opening ---

    /** Returns when the broker has accepted client and subscriptions. */
    void open() throws LinkException {
        try {
            MqttAsyncClient fresh = new MqttAsyncClient(
                    ANY_ADDRESS,
                    config.clientId(),
                    new MemoryPersistence(),
                    new LibraryPings(threads, () -> answers.keepAliveSeconds(config.pace())),
                    threads);
            client = fresh;
            fresh.setCallback(new Callback());
            // Connecting and, with TLS, a signature in the TEE have a deadline each.
            await(
                    fresh.connect(LibraryOptions.of(config, socket.factory(), plainWill)),
                    config.pace().answer().multipliedBy(2),
                    "does not answer to CONNECT");
            Packet.ConnAck ack = answers.terms();
            if (ack == null) {
                throw new LinkException(Code.LNK_PROTOCOL, "the broker is connected without CONNACK");
            }
            inFlight.acquireUninterruptibly(MAX_IN_FLIGHT - Math.min(MAX_IN_FLIGHT, ack.receiveMaximum()));
            subscribe(fresh);
            open = true;
        } catch (MqttException | RuntimeException e) {
            throw ended(e);
        }
        if (config.presence().isPresent()) {
            publish(config.presence().get(), LibraryOptions.presence("1"), true);
        }
    }

    private void subscribe(MqttAsyncClient fresh) throws MqttException, LinkException {
        if (config.subscriptions().isEmpty()) {
            return;
        }
        answers.requireSubscribable(config.subscriptions());
        String[] filters = config.subscriptions().toArray(String[]::new);
        int[] levels = new int[filters.length];
        Arrays.fill(levels, 1);
        await(fresh.subscribe(filters, levels), config.pace().answer(), "does not acknowledge SUBSCRIBE");
        answers.requireGranted(config.subscriptions());
    }

    // --- what is sent ---

    /** Bytes of the longest packet that the broker takes; as many as there are where it sets no limit. */
    long maxPacketBytes() {
        Packet.ConnAck broker = answers.terms();
        return broker == null ? Long.MAX_VALUE : broker.maxPacketBytes();
    }

    void publish(String topic, byte[] payload, boolean retained) throws LinkException {
        Packet.ConnAck broker = answers.terms();
        MqttAsyncClient current = client;
        if (broker == null || current == null || !open || end != null) {
            throw ended(new IOException("the broker is not connected"));
        }
        long packet = (long) topic.length() + payload.length + HEAD_BYTES;
        if (packet > broker.maxPacketBytes()) {
            throw new LinkException(
                    Code.LNK_LIMIT,
                    "Maximum Packet Size: a message on " + topic + " has " + packet + " bytes, the broker takes "
                            + broker.maxPacketBytes());
        }
        try {
            if (!inFlight.tryAcquire(config.pace().answer().toMillis(), TimeUnit.MILLISECONDS)) {
                throw new LinkException(Code.LNK_SILENT, "the broker acknowledges too slowly");
            }
        } catch (InterruptedException e) {
            throw LinkException.interrupted();
        }
        try {
            int qos = broker.qos1() ? 1 : 0;
            IMqttToken token = LibraryOutbox.publish(
                    config.pace().answer(), current, topic, payload, qos, retained && broker.retains());
            try {
                await(token, config.pace().answer(), "does not acknowledge PUBLISH");
            } finally {
                answers.requireTaken(token.getMessageId(), topic);
            }
        } catch (MqttException | RuntimeException e) {
            throw ended(e);
        } finally {
            inFlight.release();
        }
    }

    /** Waits for the broker's answer. A broker that gives none is given up on. */
    private void await(IMqttToken token, Duration deadline, String failing) throws MqttException, LinkException {
        try {
            token.waitForCompletion(deadline.toMillis());
        } catch (MqttException e) {
            if (e.getCause() instanceof InterruptedException) {
                // Whoever waits is wanted elsewhere; the connection is as good as before.
                throw LinkException.interrupted();
            }
            if (e.getReasonCode() == LIBRARY_TIMEOUT) {
                end(new LinkException(Code.LNK_SILENT, "the broker " + failing + " within " + deadline));
            }
            throw e;
        }
        if (Thread.currentThread().isInterrupted()) {
            throw LinkException.interrupted();
        }
    }

    /** Why the connection ended, whatever the library makes of it; it ends with {@code failure} where it had not yet. */
    private LinkException ended(Exception failure) {
        if (failure instanceof LinkException known) {
            return known;
        }
        end(new LinkException(Code.LNK_DOWN, "the connection failed: " + failure, failure));
        LinkException why = end;
        return why == null ? new LinkException(Code.LNK_DOWN, "the connection is lost", failure) : why;
    }

    // --- the end ---

    /** Watches the connection until it ends, and says why it did. */
    LinkException watch() throws InterruptedException {
        long tickMillis = Math.clamp(config.pace().answer().toMillis() / 4, 10, 1000);
        long begun = System.nanoTime();
        boolean announced = config.presence().isEmpty();
        while (!over.await(tickMillis, TimeUnit.MILLISECONDS)) {
            PacketFence reading = socket.fence();
            long now = System.nanoTime();
            long since = socket.writingSinceNanos();
            if (since != 0 && now - since > config.pace().answer().toNanos()) {
                end(new LinkException(Code.LNK_SILENT, "the broker takes no bytes"));
            } else if (reading != null && reading.underWayNanos() > PACKET_LIMIT.toNanos()) {
                end(new LinkException(Code.LNK_SILENT, "a packet does not end within " + PACKET_LIMIT));
            } else if (socket.givenUpNanos() > GIVEN_UP_NANOS) {
                end(new LinkException(Code.LNK_DOWN, "the client library ended the connection"));
            } else if (!announced && now - begun > staleWill.toNanos()) {
                announced = true;
                announceAgain(config.presence().get());
            }
        }
        LinkException why = end;
        return why == null ? new LinkException(Code.LNK_DOWN, "the connection is lost") : why;
    }

    /** A write may hang, which the watching thread must see and so must not do. */
    private void announceAgain(String topic) {
        Thread.ofVirtual().name("link-alive").start(() -> {
            try {
                publish(topic, LibraryOptions.presence("1"), true);
            } catch (LinkException e) {
                // The connection has ended with the same reason, or the next one announces it.
            }
        });
    }

    private void died(Throwable cause) {
        end(new LinkException(Code.LNK_DOWN, "the client library failed: " + cause, cause));
        if (cause instanceof VirtualMachineError error) {
            // Not the library's fault, and not to be hidden in a Future.
            Thread thread = Thread.currentThread();
            Thread.UncaughtExceptionHandler handler = Thread.getDefaultUncaughtExceptionHandler();
            if (handler != null) {
                handler.uncaughtException(thread, error);
            }
        }
    }

    /** The first reason counts. Closing the socket is what frees everybody who waits, the library's threads first. */
    private void end(LinkException why) {
        synchronized (this) {
            if (end != null) {
                return;
            }
            end = why;
        }
        socket.end();
        // What sleeps between two looks at its threads looks now.
        threads.shutdownNow();
        over.countDown();
    }

    /** Says farewell where the broker still listens, and returns when socket and threads are gone. */
    @Override
    public void close() {
        MqttAsyncClient current = client;
        if (current != null && open && end == null) {
            try {
                // The last will tells that the device is gone, at once and in order.
                int reason = config.presence().isPresent() ? DISCONNECT_WITH_WILL : 0;
                current.disconnect(0, null, null, reason, new MqttProperties()).waitForCompletion(FAREWELL_MILLIS);
            } catch (MqttException | RuntimeException e) {
                // Then the broker notices by itself.
            }
        }
        end(new LinkException(Code.LNK_DOWN, "the link is closed"));
        if (current != null) {
            try {
                // A thread of the library that died took nothing down with it: its sender and its callbacks wait for
                // ever.
                current.disconnectForcibly(0, 1, false);
            } catch (MqttException | RuntimeException e) {
                // Then there was nothing to end.
            }
        }
        try {
            // Only the look-up of a name, which nobody can interrupt, may keep one for longer.
            threads.awaitTermination(THREADS_END_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (current != null) {
            try {
                current.close(true);
            } catch (MqttException | RuntimeException e) {
                // It holds memory only.
            }
        }
    }

    private final class Callback implements MqttCallback {
        @Override
        public void messageArrived(String topic, MqttMessage handedOnBefore) {}

        @Override
        public void disconnected(MqttDisconnectResponse response) {
            MqttException cause = response.getException();
            int reason = cause == null ? 0 : cause.getReasonCode();
            if (reason == LIBRARY_TIMEOUT || reason == MqttClientException.REASON_CODE_WRITE_TIMEOUT) {
                end(new LinkException(Code.LNK_SILENT, "the broker does not answer to PINGREQ", cause));
            } else {
                end(new LinkException(
                        Code.LNK_DOWN, cause == null ? "the connection is lost" : cause.toString(), cause));
            }
        }

        @Override
        public void mqttErrorOccurred(MqttException exception) {}

        @Override
        public void deliveryComplete(IMqttToken token) {}

        @Override
        public void connectComplete(boolean reconnect, String serverUri) {}

        @Override
        public void authPacketArrived(int reasonCode, MqttProperties properties) {
            end(new LinkException(Code.LNK_PROTOCOL, "the broker wants an exchange that was not offered"));
        }
    }
}
