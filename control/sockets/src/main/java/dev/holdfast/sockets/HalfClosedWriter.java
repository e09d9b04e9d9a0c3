package dev.holdfast.sockets;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;

/**
 * Writes to a client that sends no more. Netty 4.2 takes such a descriptor out of epoll when it has seen the end of its input, and
 * then fails where it has to wait for room in the socket (epoll_ctl: ENOENT), which cuts every answer that the client reads slowly.
 * So the bytes go to the descriptor from here, and while there is no room it is tried again every {@value #AGAIN_MILLIS} ms. What waits
 * is bounded by who writes. Belongs to the connection's event loop.
 */
final class HalfClosedWriter extends ChannelOutboundHandlerAdapter {
    static final String NAME = "half-closed-writer";
    private static final int AGAIN_MILLIS = 5;

    private record Waiting(ByteBuf bytes, ChannelPromise promise) {}

    private final EpollDomainSocketChannel channel;
    private final Deque<Waiting> waiting = new ArrayDeque<>();
    private boolean scheduled;

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
        if (scheduled) {
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
        scheduled = true;
        context.executor()
                .schedule(
                        () -> {
                            scheduled = false;
                            drain(context);
                        },
                        AGAIN_MILLIS,
                        TimeUnit.MILLISECONDS);
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
        }
        return true;
    }

    private void fail(IOException why) {
        for (Waiting each = waiting.poll(); each != null; each = waiting.poll()) {
            each.bytes.release();
            each.promise.tryFailure(why);
        }
    }

    @Override
    public void close(ChannelHandlerContext context, ChannelPromise promise) {
        fail(new ClosedChannelException());
        context.close(promise);
    }
}
