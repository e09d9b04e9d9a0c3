package dev.holdfast.sockets;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The first that a connection meets, on the acceptor's thread: it gets a place, or its descriptor is closed before anything else is
 * made for it. Everything behind runs on the event loop, which a flood of connections would fill with work otherwise, while the acceptor
 * goes on to use up the descriptors of the process.
 *
 * <p>There is a pace for what is let in, which leaves the event loop to what is there, and one for what is only looked at. What is
 * faster waits in the kernel's queue. Where the process has no descriptor left, nothing is accepted for {@value #FAILED_MILLIS} ms.
 *
 * <p>Belongs to the acceptor's thread.
 */
final class AcceptGate extends ChannelInboundHandlerAdapter {
    static final String NAME = "accept-gate";
    private static final Logger LOG = LoggerFactory.getLogger(AcceptGate.class);

    private static final int WINDOW_MILLIS = 10;
    /** So many connections are let in within a window. */
    private static final int LET_IN = 20;
    /** So many are taken from the kernel's queue within a window: a queue of 4,096 is gone in a fifth of a second. */
    private static final int LOOKED_AT = 200;

    private static final int FAILED_MILLIS = 250;
    private static final long SAID_EACH_NANOS = TimeUnit.MINUTES.toNanos(1);

    private final Admission admission;
    private int letIn;
    private int lookedAt;
    private boolean failed;
    private long saidNanos = System.nanoTime() - SAID_EACH_NANOS;

    AcceptGate(Admission admission) {
        this.admission = admission;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        if (!(message instanceof Channel accepted)) {
            context.fireChannelRead(message);
            return;
        }
        if (lookedAt++ == 0) {
            context.executor().schedule(() -> begin(context), WINDOW_MILLIS, TimeUnit.MILLISECONDS);
        }
        Optional<Admission.Place> place = admission.enter(Peer.read(accepted), System.nanoTime());
        if (place.isPresent()) {
            letIn++;
            accepted.closeFuture().addListener(closed -> place.get().leave());
            accepted.attr(Admission.PLACE).set(place.get());
            context.fireChannelRead(message);
        } else {
            accepted.unsafe().closeForcibly();
        }
        if (letIn >= LET_IN || lookedAt >= LOOKED_AT) {
            context.channel().config().setAutoRead(false);
        }
    }

    private void begin(ChannelHandlerContext context) {
        letIn = 0;
        lookedAt = 0;
        goOn(context);
    }

    private void goOn(ChannelHandlerContext context) {
        if (!failed && context.channel().isOpen()) {
            context.channel().config().setAutoRead(true);
        }
    }

    /** To accept failed, which it does again at once as long as the reason is there (EMFILE, ENFILE, ENOMEM). */
    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        long now = System.nanoTime();
        if (now - saidNanos >= SAID_EACH_NANOS) {
            saidNanos = now;
            LOG.warn("no connection can be accepted: {}", cause.toString());
        }
        if (!failed) {
            failed = true;
            context.channel().config().setAutoRead(false);
            context.executor()
                    .schedule(
                            () -> {
                                failed = false;
                                goOn(context);
                            },
                            FAILED_MILLIS,
                            TimeUnit.MILLISECONDS);
        }
    }
}
