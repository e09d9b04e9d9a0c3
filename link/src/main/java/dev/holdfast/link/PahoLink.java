package dev.holdfast.link;

import dev.holdfast.wire.Code;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.eclipse.paho.mqttv5.client.IMqttToken;
import org.eclipse.paho.mqttv5.client.MqttAsyncClient;
import org.eclipse.paho.mqttv5.client.MqttCallback;
import org.eclipse.paho.mqttv5.client.MqttConnectionOptions;
import org.eclipse.paho.mqttv5.client.MqttDisconnectResponse;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.eclipse.paho.mqttv5.common.MqttException;
import org.eclipse.paho.mqttv5.common.MqttMessage;
import org.eclipse.paho.mqttv5.common.packet.MqttProperties;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@link MqttLink} by Eclipse Paho's MQTT 5 client, around its sharp edges: callbacks only enqueue (a blocked callback
 * starves the client), a semaphore keeps below the broker's receive maximum (publish throws there instead of waiting),
 * each attempt has a fresh client and a deadline (Paho's own reconnect has neither jitter nor a retry of the first
 * connect), and nothing is persisted by Paho (its default writes into the working directory).
 */
public final class PahoLink implements MqttLink {
    private static final Logger LOG = LoggerFactory.getLogger(PahoLink.class);
    /** The client prints a trace of its own for each lost connection; what is to be known of it is logged here. */
    private static final java.util.logging.Logger CLIENT =
            java.util.logging.Logger.getLogger("org.eclipse.paho.mqttv5");

    static {
        // Held by the field: a logger that nobody holds forgets its level.
        CLIENT.setLevel(java.util.logging.Level.OFF);
    }

    /** HiveMQ announces 10; staying at 8 never meets it. */
    private static final int MAX_IN_FLIGHT = 8;
    /** What the broker may have in flight towards us, times the longest message, bounds the memory. */
    private static final int RECEIVE_MAXIMUM = 32;

    private static final int INBOUND_MESSAGES = 256;
    private static final long MAX_PACKET_BYTES = 256 * 1024;
    private static final int KEEP_ALIVE_SECONDS = 20;

    private final LinkConfig config;
    private final Receiver receiver;
    private final BlockingQueue<Inbound> inbound = new ArrayBlockingQueue<>(INBOUND_MESSAGES);
    private final Semaphore inFlight = new Semaphore(MAX_IN_FLIGHT);
    private final Semaphore lost = new Semaphore(0);
    private final Thread keeper;
    private final Thread dispatcher;
    private volatile @Nullable MqttAsyncClient client;
    private volatile boolean closed;

    private PahoLink(LinkConfig config, Receiver receiver) {
        this.config = config;
        this.receiver = receiver;
        this.keeper = Thread.ofPlatform().name("link-keeper").daemon().unstarted(this::keep);
        this.dispatcher = Thread.ofPlatform().name("link-inbound").daemon().unstarted(this::dispatch);
    }

    /** Starts connecting in the background and returns at once. */
    public static PahoLink open(LinkConfig config, Receiver receiver) {
        PahoLink link = new PahoLink(config, receiver);
        link.keeper.start();
        link.dispatcher.start();
        return link;
    }

    @Override
    public boolean connected() {
        MqttAsyncClient current = client;
        return current != null && current.isConnected();
    }

    @Override
    public void publish(String topic, byte[] payload, boolean retained) throws IOException {
        MqttAsyncClient current = client;
        if (current == null || !current.isConnected()) {
            throw new IOException(Code.LNK_DOWN.id() + ": the broker is not connected");
        }
        try {
            if (!inFlight.tryAcquire(config.ackDeadline().toMillis(), TimeUnit.MILLISECONDS)) {
                throw new IOException(Code.LNK_TIMEOUT.id() + ": the broker acknowledges too slowly");
            }
            try {
                MqttMessage message = new MqttMessage(payload, 1, retained, null);
                current.publish(topic, message)
                        .waitForCompletion(config.ackDeadline().toMillis());
            } finally {
                inFlight.release();
            }
        } catch (MqttException e) {
            throw new IOException(Code.LNK_DOWN.id() + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private void keep() {
        long pauseMillis = config.firstRetry().toMillis();
        while (!closed) {
            try {
                lost.drainPermits();
                client = connect();
                LOG.info("connected to {}", config.brokerUri());
                pauseMillis = config.firstRetry().toMillis();
                lost.acquire();
            } catch (MqttException e) {
                LOG.warn("{} {}: {}", Code.LNK_DOWN.id(), config.brokerUri(), e.getMessage());
            } catch (InterruptedException e) {
                return;
            }
            discard(client);
            client = null;
            if (closed) {
                return;
            }
            try {
                // Full jitter: a fleet that lost its broker together must not come back together.
                TimeUnit.MILLISECONDS.sleep(ThreadLocalRandom.current().nextLong(pauseMillis) + 1);
            } catch (InterruptedException e) {
                return;
            }
            pauseMillis = Math.min(2 * pauseMillis, config.lastRetry().toMillis());
        }
    }

    private MqttAsyncClient connect() throws MqttException {
        MqttAsyncClient fresh = new MqttAsyncClient(config.brokerUri(), config.clientId(), new MemoryPersistence());
        try {
            fresh.setCallback(new Callback());
            MqttConnectionOptions options = new MqttConnectionOptions();
            options.setAutomaticReconnect(false);
            options.setCleanStart(true);
            options.setKeepAliveInterval(KEEP_ALIVE_SECONDS);
            options.setReceiveMaximum(RECEIVE_MAXIMUM);
            if (config.brokerUri().startsWith("tcp://")) {
                options.setSocketFactory(new PromptSockets());
            } else {
                config.tls().ifPresent(options::setSocketFactory);
            }
            options.setMaximumPacketSize(MAX_PACKET_BYTES);
            config.presence().ifPresent(topic -> options.setWill(topic, message("0")));
            fresh.connect(options).waitForCompletion(config.ackDeadline().toMillis());
            if (!config.subscriptions().isEmpty()) {
                String[] filters = config.subscriptions().toArray(String[]::new);
                int[] levels = new int[filters.length];
                java.util.Arrays.fill(levels, 1);
                fresh.subscribe(filters, levels)
                        .waitForCompletion(config.ackDeadline().toMillis());
            }
            if (config.presence().isPresent()) {
                fresh.publish(config.presence().get(), message("1"));
            }
            return fresh;
        } catch (MqttException e) {
            discard(fresh);
            throw e;
        }
    }

    private static MqttMessage message(String text) {
        return new MqttMessage(text.getBytes(StandardCharsets.US_ASCII), 1, true, null);
    }

    private static void discard(@Nullable MqttAsyncClient old) {
        if (old == null) {
            return;
        }
        try {
            if (old.isConnected()) {
                old.disconnectForcibly(100, 500, true);
            }
        } catch (MqttException e) {
            LOG.debug("disconnect: {}", e.getMessage());
        }
        try {
            old.close(true);
        } catch (MqttException e) {
            LOG.debug("close: {}", e.getMessage());
        }
    }

    private void dispatch() {
        while (!closed) {
            try {
                Inbound message = inbound.take();
                try {
                    receiver.received(message);
                } catch (RuntimeException e) {
                    LOG.error("the receiver failed on {}", message.topic(), e);
                }
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        MqttAsyncClient current = client;
        if (current != null && current.isConnected() && config.presence().isPresent()) {
            try {
                current.publish(config.presence().get(), message("0")).waitForCompletion(1000);
            } catch (MqttException e) {
                LOG.debug("presence: {}", e.getMessage());
            }
        }
        lost.release();
        keeper.interrupt();
        dispatcher.interrupt();
        discard(current);
    }

    /** Only enqueues; whatever blocks here starves the client. */
    private final class Callback implements MqttCallback {
        @Override
        public void messageArrived(String topic, MqttMessage message) {
            if (!inbound.offer(new Inbound(topic, message.getPayload()))) {
                LOG.warn("{} inbound queue is full, a message on {} was dropped", Code.WIRE_TOO_LARGE.id(), topic);
            }
        }

        @Override
        public void disconnected(MqttDisconnectResponse response) {
            lost.release();
        }

        @Override
        public void mqttErrorOccurred(MqttException exception) {
            LOG.debug("client: {}", exception.getMessage());
        }

        @Override
        public void deliveryComplete(IMqttToken token) {}

        @Override
        public void connectComplete(boolean reconnect, String serverUri) {}

        @Override
        public void authPacketArrived(int reasonCode, MqttProperties properties) {}
    }
}
