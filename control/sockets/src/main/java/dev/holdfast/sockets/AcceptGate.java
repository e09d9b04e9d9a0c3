package dev.holdfast.sockets;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.Rejection;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.unix.UnixChannel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The first that a connection meets, on the acceptor's thread: it gets a place, or one answer that was written long before and its end.
 * Everything behind runs on the event loop, which a flood of connections would fill with work otherwise, while the acceptor goes on to
 * use up the descriptors of the process.
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
    /** So many refused connections are kept for a moment; the longest kept one makes room for the next. */
    private static final int LINGERING = 256;

    private static final int LOOK_MILLIS = 100;
    /** So often it is looked whether a refused client is gone; then it is closed on. */
    private static final int LOOKS = 10;

    private static final int SCRATCH_BYTES = 64 * 1024;

    /** For whoever finds no place. */
    private static final ByteBuffer BUSY = busy();

    private final Admission admission;
    private final QuietLog quiet = new QuietLog(LOG, 1);
    private final ByteBuffer scratch = ByteBuffer.allocateDirect(SCRATCH_BYTES);
    private final SequencedSet<Channel> lingering = new LinkedHashSet<>();
    private int letIn;
    private int lookedAt;
    private boolean failed;

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
            refuse(context, accepted);
        }
        if (letIn >= LET_IN || lookedAt >= LOOKED_AT) {
            context.channel().config().setAutoRead(false);
        }
    }

    /**
     * Nobody who waits for an answer is left to guess. The descriptor stays until the client hangs up, for {@value #LOOKS} looks at most:
     * many clients send their request first, and on a busy machine long after they connected; one whose request meets a closed socket
     * reads no answer.
     */
    private void refuse(ChannelHandlerContext context, Channel accepted) {
        if (!answer(accepted)) {
            drain(accepted);
            return;
        }
        if (lingering.size() == LINGERING) {
            drain(lingering.removeFirst());
        }
        lingering.add(accepted);
        lookLater(context, accepted, LOOKS);
    }

    private void lookLater(ChannelHandlerContext context, Channel accepted, int looks) {
        context.executor()
                .schedule(
                        () -> {
                            if (!lingering.contains(accepted)) {
                                return;
                            }
                            if (looks > 1 && isThere(accepted)) {
                                lookLater(context, accepted, looks - 1);
                            } else {
                                lingering.remove(accepted);
                                drain(accepted);
                            }
                        },
                        LOOK_MILLIS,
                        TimeUnit.MILLISECONDS);
    }

    private static boolean answer(Channel accepted) {
        try {
            return accepted instanceof UnixChannel socket
                    && socket.fd().write(BUSY.duplicate(), 0, BUSY.limit()) == BUSY.limit();
        } catch (IOException e) {
            LOG.debug("a refusal was not taken: {}", e.toString());
            return false;
        }
    }

    /** What was not read when the descriptor is closed would reset the connection, and the answer with it. */
    private void drain(Channel accepted) {
        isThere(accepted);
        accepted.unsafe().closeForcibly();
    }

    /** Reads what a refused client sent, and says whether it may send more. */
    private boolean isThere(Channel accepted) {
        try {
            return accepted instanceof UnixChannel socket && socket.fd().read(scratch, 0, scratch.capacity()) >= 0;
        } catch (IOException e) {
            LOG.debug("a request was not read: {}", e.toString());
            return false;
        }
    }

    private static ByteBuffer busy() {
        Rejection why = new Rejection(Code.API_BUSY, "too many connections at a time, or in a second");
        byte[] body = Json.write(Replies.error(503, why));
        byte[] head =
                ("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nRetry-After-Ms: 1000\r\n"
                                + "Content-Type: application/json\r\nContent-Length: " + body.length + "\r\n\r\n")
                        .getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocateDirect(head.length + body.length)
                .put(head)
                .put(body)
                .flip();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        lingering.forEach(this::drain);
        lingering.clear();
        context.fireChannelInactive();
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
        quiet.warn("no connection can be accepted: {}", cause.toString());
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
