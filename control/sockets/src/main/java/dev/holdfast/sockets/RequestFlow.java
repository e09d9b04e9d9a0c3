package dev.holdfast.sockets;

import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPromise;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpStatusClass;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The requests of one connection on their way from the codec to Vert.x, and the answers on their way back.
 *
 * <ul>
 *   <li>One request at a time: the next one is handed on when the one before is answered, in a turn of its own, and not before its
 *       user may ask again. What comes meanwhile waits, and nothing more is read. Otherwise a flood of small requests would take the
 *       event loop, which every stream of tokens needs; for the same reason little is read at a time.
 *   <li>A connection ends that asks nothing within {@value #FIRST_REQUEST_SECONDS} s, since it holds a place that others need, or
 *       whose body is not whole within {@value #BODY_SECONDS} s. Time in which nothing is read here does not count.
 *   <li>So does an answer to a request whose body is still being sent, since nobody wants the rest, and one that says so itself
 *       ({@code Connection: close}).
 *   <li>A client that says that it will send no more (SHUT_WR) gets the answers to what it asked, and then the end. Only who takes no
 *       byte any more is gone. While such a client waits, it is asked for every {@value #LOOK_MILLIS} ms, since the kernel tells the
 *       end of reading once.
 * </ul>
 *
 * Belongs to the connection's event loop.
 */
final class RequestFlow extends ChannelDuplexHandler {
    static final String NAME = "request-flow";
    private static final int FIRST_REQUEST_SECONDS = 5;
    private static final int BODY_SECONDS = 30;
    private static final int LOOK_MILLIS = 500;
    private static final int READ_BYTES = 8 * 1024;
    /** What Vert.x takes out of the pipeline when a connection stops to speak HTTP. */
    private static final String CODEC = "httpDecoder";

    private final Admission.Place place;
    /** What waits; a request comes first. */
    private final Deque<Object> held = new ArrayDeque<>();

    private long begun;
    private long whole;
    private long answered;
    private boolean bodyComes;
    private boolean mayAsk;
    private boolean closing;
    private boolean inputEnded;
    private @Nullable ScheduledFuture<?> silenceEnds;
    private @Nullable ScheduledFuture<?> bodyEnds;
    private @Nullable ScheduledFuture<?> nextRead;
    private @Nullable ScheduledFuture<?> nextTry;
    private @Nullable ScheduledFuture<?> nextLook;

    private RequestFlow(Admission.Place place) {
        this.place = place;
    }

    /** Puts it into the pipeline of a connection before Vert.x's own handler. */
    static void watch(Channel channel, Admission.Place place) {
        RequestFlow flow = new RequestFlow(place);
        channel.pipeline()
                .addBefore("handler", IdleConnection.NAME, new IdleConnection(flow))
                .addBefore("handler", NAME, flow);
        channel.config().setRecvByteBufAllocator(new FixedRecvByteBufAllocator(READ_BYTES).maxMessagesPerRead(1));
        if (channel instanceof EpollDomainSocketChannel && LinuxSocket.available()) {
            channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
        }
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        silenceEnds = closeAfter(context, FIRST_REQUEST_SECONDS);
    }

    private static ScheduledFuture<?> closeAfter(ChannelHandlerContext context, int seconds) {
        return context.executor().schedule(() -> context.channel().close(), seconds, TimeUnit.SECONDS);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        if (message instanceof HttpRequest) {
            silenceEnds = cancelled(silenceEnds);
        }
        if (held.isEmpty() && !(message instanceof HttpRequest)) {
            handOn(context, message);
            return;
        }
        held.add(message);
        if (held.size() == 1) {
            next(context);
        }
        if (!held.isEmpty()) {
            context.channel().config().setAutoRead(false);
        }
    }

    /** Hands on the request that waits first, and what came of its body, if its time has come. */
    private void next(ChannelHandlerContext context) {
        if (held.isEmpty() || nextTry != null || answered < begun) {
            return;
        }
        long wait = mayAsk ? 0 : place.ask(System.nanoTime());
        if (wait > 0) {
            nextTry = context.executor()
                    .schedule(
                            () -> {
                                nextTry = null;
                                mayAsk = true;
                                next(context);
                            },
                            wait,
                            TimeUnit.NANOSECONDS);
            return;
        }
        mayAsk = false;
        do {
            handOn(context, held.remove());
        } while (!held.isEmpty() && !(held.peek() instanceof HttpRequest));
        context.fireChannelReadComplete();
        if (held.isEmpty()) {
            if (inputEnded) {
                ended(context);
            } else {
                readOn(context);
            }
        }
    }

    private void handOn(ChannelHandlerContext context, Object message) {
        if (message instanceof HttpRequest head) {
            begun++;
            bodyComes = HttpUtil.isTransferEncodingChunked(head) || HttpUtil.getContentLength(head, 0L) > 0;
            bodyEnds = closeAfter(context, BODY_SECONDS);
        }
        if (message instanceof HttpContent part) {
            long wait = place.charge(part.content().readableBytes(), System.nanoTime());
            if (wait > 0) {
                stopReading(context, wait);
            }
        }
        if (message instanceof LastHttpContent) {
            whole++;
            bodyComes = false;
            bodyEnds = cancelled(bodyEnds);
        }
        context.fireChannelRead(message);
    }

    private void stopReading(ChannelHandlerContext context, long nanos) {
        context.channel().config().setAutoRead(false);
        bodyEnds = cancelled(bodyEnds);
        nextRead = cancelled(nextRead);
        nextRead = context.executor()
                .schedule(
                        () -> {
                            nextRead = null;
                            if (bodyComes) {
                                bodyEnds = closeAfter(context, BODY_SECONDS);
                            }
                            readOn(context);
                        },
                        nanos,
                        TimeUnit.NANOSECONDS);
    }

    private void readOn(ChannelHandlerContext context) {
        if (held.isEmpty() && nextRead == null) {
            context.channel().config().setAutoRead(true);
        }
    }

    /** A timer that runs on would keep the whole connection in memory until its time. */
    private static @Nullable ScheduledFuture<?> cancelled(@Nullable ScheduledFuture<?> timer) {
        if (timer != null) {
            timer.cancel(false);
        }
        return null;
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        ChannelPromise then = promise;
        boolean provisional =
                message instanceof HttpResponse head && head.status().codeClass() == HttpStatusClass.INFORMATIONAL;
        boolean unwanted = bodyComes && answered < begun;
        if (message instanceof HttpResponse head && !provisional) {
            if (unwanted) {
                head.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
            }
            closing |= head.headers().contains(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE, true);
        }
        if (message instanceof LastHttpContent && !provisional) {
            answered++;
            if (closing || unwanted || inputEnded && held.isEmpty()) {
                then = promise.unvoid().addListener(ChannelFutureListener.CLOSE);
            } else if (!held.isEmpty()) {
                context.executor().execute(() -> next(context));
            }
        }
        context.write(message, then);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            inputEnded = true;
            if (context.channel() instanceof EpollDomainSocketChannel channel) {
                context.pipeline().addFirst(HalfClosedWriter.NAME, new HalfClosedWriter(channel));
            }
            if (held.isEmpty()) {
                ended(context);
            } else {
                look(context);
            }
        }
        context.fireUserEventTriggered(event);
    }

    private void ended(ChannelHandlerContext context) {
        if (answered >= whole || context.pipeline().get(CODEC) == null) {
            context.channel().close();
        } else {
            look(context);
        }
    }

    /** Whether it is this side's turn: a request was read and is not answered. */
    boolean waitsForAnswer(ChannelHandlerContext context) {
        return (answered < begun || !held.isEmpty()) && context.pipeline().get(CODEC) != null;
    }

    /** Closes the connection once its peer is gone. */
    private void look(ChannelHandlerContext context) {
        if (!(context.channel() instanceof EpollDomainSocketChannel channel) || !channel.isOpen()) {
            return;
        }
        if (LinuxSocket.hungUp(channel.fd().intValue())) {
            channel.close();
        } else {
            nextLook = cancelled(nextLook);
            nextLook = context.executor().schedule(() -> look(context), LOOK_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        end();
        context.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        end();
    }

    private void end() {
        silenceEnds = cancelled(silenceEnds);
        bodyEnds = cancelled(bodyEnds);
        nextRead = cancelled(nextRead);
        nextTry = cancelled(nextTry);
        nextLook = cancelled(nextLook);
        held.forEach(ReferenceCountUtil::release);
        held.clear();
    }
}
