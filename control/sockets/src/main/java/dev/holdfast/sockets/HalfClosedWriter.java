package dev.holdfast.sockets;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Writes to a client that sends no more. Netty 4.2 takes such a descriptor out of epoll when it has seen the end of its input, and
 * then fails where it has to wait for room in the socket (epoll_ctl: ENOENT), which cuts every answer that the client reads slowly.
 * So the bytes go to the descriptor from here, and while there is no room it is tried again, after {@value #FIRST_MILLIS} ms at
 * first and more and more rarely, to {@value #LAST_MILLIS} ms. What waits is bounded by who writes. Belongs to the connection's event loop.
 */
final class HalfClosedWriter extends ChannelOutboundHandlerAdapter {
    static final String NAME = "half-closed-writer";
    private static final int FIRST_MILLIS = 5;
    /** A socket holds some 200 KB, which a client that reads takes in less. */
    private static final int LAST_MILLIS = 100;

    private record Waiting(ByteBuf bytes, ChannelPromise promise) {}

    private final EpollDomainSocketChannel channel;
    private final Deque<Waiting> waiting = new ArrayDeque<>();
    private int againMillis = FIRST_MILLIS;
    private @Nullable ScheduledFuture<?> again;

    HalfClosedWriter(EpollDomainSocketChannel channel) {
        this.channel = channel;
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        if (message instanceof ByteBuf bytes) {
            waiting.add(new Waiting(direct(bytes), promise));
        } else {
            context.write(message, promise);
        }
    }

    /** The system call takes no bytes on the heap, and no composites. */
    private static ByteBuf direct(ByteBuf bytes) {
        if (bytes.isDirect() && bytes.nioBufferCount() == 1) {
            return bytes;
        }
        try {
            return Unpooled.directBuffer(bytes.readableBytes()).writeBytes(bytes);
        } finally {
            bytes.release();
        }
    }

    @Override
    public void flush(ChannelHandlerContext context) {
        context.flush();
        drain(context);
    }

    private void drain(ChannelHandlerContext context) {
        if (again != null) {
            return;
        }
        for (Waiting first = waiting.peek(); first != null; first = waiting.peek()) {
            try {
                if (!earlierAreWritten() || !written(first.bytes)) {
                    later(context);
                    return;
                }
            } catch (IOException e) {
                fail(e);
                channel.close();
                return;
            }
            waiting.remove();
            first.bytes.release();
            first.promise.trySuccess();
        }
    }

    private void later(ChannelHandlerContext context) {
        again = context.executor()
                .schedule(
                        () -> {
                            again = null;
                            drain(context);
                        },
                        againMillis,
                        TimeUnit.MILLISECONDS);
        againMillis = Math.min(2 * againMillis, LAST_MILLIS);
    }

    /** What Netty took before the end of the input goes first; for that the descriptor is in epoll still. */
    private boolean earlierAreWritten() {
        ChannelOutboundBuffer earlier = channel.unsafe().outboundBuffer();
        return earlier == null || earlier.size() == 0 && earlier.totalPendingWriteBytes() == 0;
    }

    private boolean written(ByteBuf bytes) throws IOException {
        while (bytes.isReadable()) {
            if (!channel.isOpen()) {
                throw new ClosedChannelException();
            }
            ByteBuffer view = bytes.internalNioBuffer(bytes.readerIndex(), bytes.readableBytes());
            int count = channel.fd().write(view, view.position(), view.limit());
            if (count <= 0) {
                return false;
            }
            bytes.skipBytes(count);
            againMillis = FIRST_MILLIS;
        }
        return true;
    }

    private void fail(IOException why) {
        for (Waiting each = waiting.poll(); each != null; each = waiting.poll()) {
            each.bytes.release();
            each.promise.tryFailure(why);
        }
    }

    /** Also when nobody asked for the end, as where the peer is gone. */
    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        if (again != null) {
            again.cancel(false);
        }
        fail(new ClosedChannelException());
    }

    @Override
    public void close(ChannelHandlerContext context, ChannelPromise promise) {
        fail(new ClosedChannelException());
        context.close(promise);
    }
}
