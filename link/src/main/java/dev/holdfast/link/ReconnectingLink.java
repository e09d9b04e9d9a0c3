package dev.holdfast.link;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@link MqttLink} over one {@link Connection} after the other, on the thread {@code link-keeper}. The pause before the next attempt
 * doubles until a connection has proved stable or useful, with full jitter: devices that lost their broker together must not come back
 * together, and two clients that throw each other off must not do so ten times a second.
 */
public final class ReconnectingLink implements MqttLink {
    private static final Logger LOG = LoggerFactory.getLogger(ReconnectingLink.class);

    /** A connection that lived so long was no failure. */
    private static final Duration STABLE = Duration.ofSeconds(60);

    private static final int MAX_INBOUND_MESSAGES = 256;
    private static final long MAX_INBOUND_BYTES = 16L << 20;
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(3);

    private final LinkConfig config;
    private final Receiver receiver;
    private final BlockingQueue<Inbound> inbound = new LinkedBlockingQueue<>(MAX_INBOUND_MESSAGES);
    private final AtomicLong inboundBytes = new AtomicLong();
    private final AtomicBoolean missed = new AtomicBoolean();
    private final Thread keeper =
            Thread.ofPlatform().name("link-keeper").daemon().unstarted(this::keep);
    private final Thread dispatcher =
            Thread.ofPlatform().name("link-inbound").daemon().unstarted(this::dispatch);
    private volatile @Nullable Connection connection;
    private volatile LinkStatus status = LinkStatus.CONNECTING;
    /** What the broker takes for a last will, as it was learnt; of the thread {@code link-keeper}. */
    private boolean plainWill;

    private volatile long maxPacketBytes = Long.MAX_VALUE;
    private volatile boolean useful;
    private volatile boolean closed;

    private ReconnectingLink(LinkConfig config, Receiver receiver) {
        this.config = config;
        this.receiver = receiver;
    }

    /** Starts connecting in the background and returns at once. */
    public static ReconnectingLink open(LinkConfig config, Receiver receiver) {
        ReconnectingLink link = new ReconnectingLink(config, receiver);
        link.keeper.start();
        link.dispatcher.start();
        return link;
    }

    @Override
    public LinkStatus status() {
        return status;
    }

    @Override
    public void publish(String topic, byte[] payload, boolean retained) throws LinkException {
        Connection current = connection;
        if (current == null) {
            Rejection why = status.lost().orElse(new Rejection(Code.LNK_DOWN, "the broker is not connected yet"));
            throw LinkException.of(why);
        }
        current.publish(topic, payload, retained);
    }

    @Override
    public void useful() {
        useful = true;
    }

    @Override
    public long maxPacketBytes() {
        return maxPacketBytes;
    }

    private void keep() {
        LinkConfig.Pace pace = config.pace();
        Duration pause = pace.firstRetry();
        try {
            while (!closed) {
                long began = System.nanoTime();
                LinkException why = connectOnce();
                boolean worth = useful;
                useful = false;
                boolean taken = why.rejection().code() == Code.LNK_TAKEN_OVER;
                Duration lived = Duration.ofNanos(System.nanoTime() - began);
                // Of two that take over from each other each lives as long as the other one pauses.
                Duration stable = taken ? pace.lastRetry().multipliedBy(2).plus(STABLE) : STABLE;
                boolean steady = connected() && lived.compareTo(stable) >= 0;
                if (steady || worth && !taken) {
                    pause = pace.firstRetry();
                }
                Duration next = Duration.ofMillis(ThreadLocalRandom.current().nextLong(pause.toMillis()) + 1);
                if (steady) {
                    // Whoever else lost the broker in this moment has another moment to come back.
                    next = pace.afterLoss().plus(next);
                }
                Instant now = Instant.now();
                status = status.down(why.rejection(), taken, now, now.plus(next));
                if (!closed) {
                    LOG.warn("{}: {}", config.broker(), why.rejection());
                }
                if (closed) {
                    return;
                }
                Thread.sleep(next);
                Duration twice = pause.multipliedBy(2);
                pause = twice.compareTo(pace.lastRetry()) < 0 ? twice : pace.lastRetry();
            }
        } catch (InterruptedException e) {
            // The link is closed.
        } finally {
            status = status.connecting();
        }
    }

    /** Connects, holds the connection until it ends, and says why it did. Nothing of it is left then. */
    private LinkException connectOnce() throws InterruptedException {
        status = status.connecting();
        try (Connection fresh = new Connection(config, plainWill, this::queue)) {
            try {
                fresh.open();
                maxPacketBytes = fresh.maxPacketBytes();
                connection = fresh;
                status = status.up();
                LOG.info("connected to {}", config.broker());
                return fresh.watch();
            } catch (LinkException e) {
                plainWill |= e.refusesWill();
                return e;
            } catch (RuntimeException e) {
                LOG.error("the link failed and goes on", e);
                return new LinkException(Code.LNK_DOWN, e.toString(), e);
            } finally {
                connection = null;
            }
        }
    }

    /** Only queues: what blocked here would hold up the acknowledgements that publishers wait for. */
    private void queue(Inbound message) {
        boolean fits = inboundBytes.addAndGet(message.payload().length) <= MAX_INBOUND_BYTES;
        if (!fits || !inbound.offer(message)) {
            inboundBytes.addAndGet(-message.payload().length);
            if (missed.compareAndSet(false, true)) {
                String detail =
                        "messages come faster than they are taken, and some are dropped; one on " + message.topic();
                // The broker chose the topic: a rejection keeps it on its line.
                LOG.warn("{}", new Rejection(Code.WIRE_TOO_LARGE, detail));
            }
        }
    }

    private void dispatch() {
        try {
            while (!closed) {
                Inbound message = inbound.take();
                inboundBytes.addAndGet(-message.payload().length);
                try {
                    receiver.received(message);
                    if (inbound.isEmpty() && missed.compareAndSet(true, false)) {
                        receiver.missed();
                    }
                } catch (RuntimeException e) {
                    LOG.error("the receiver failed on a message", e);
                }
            }
        } catch (InterruptedException e) {
            // The link is closed.
        }
    }

    @Override
    public void close() {
        closed = true;
        keeper.interrupt();
        dispatcher.interrupt();
        try {
            keeper.join(CLOSE_LIMIT);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
