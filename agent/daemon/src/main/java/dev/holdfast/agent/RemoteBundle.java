package dev.holdfast.agent;

import dev.holdfast.control.BundleProtocol;
import dev.holdfast.trust.bundle.SeekableBytes;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.NetSocket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** A bundle that a command holds open at the other end of a socket, read by {@link BundleProtocol}. What comes is trusted as little as anything else. Reading belongs to one thread at a time. */
final class RemoteBundle implements SeekableBytes {
    /** A range may come in pieces; more than one range was not asked for. */
    private static final int MAX_PIECES = 256;
    /** A disk that does not deliver so few bytes in this time is broken. */
    private static final long ANSWER_SECONDS = 30;

    private final NetSocket socket;
    private final long size;
    private final BlockingQueue<Buffer> pieces = new LinkedBlockingQueue<>(MAX_PIECES);
    /** Bytes that were asked for and have not come. */
    private final AtomicLong owed = new AtomicLong();

    /** Call on the event loop, so that nothing comes before the handlers are there. */
    RemoteBundle(NetSocket socket, long size) {
        this.socket = socket;
        this.size = size;
        socket.handler(this::received);
        socket.exceptionHandler(failure -> received(Buffer.buffer()));
        socket.closeHandler(closed -> received(Buffer.buffer()));
    }

    /** An empty piece ends everything, and so does what was not asked for, before it fills the memory. */
    private void received(Buffer piece) {
        if (owed.addAndGet(-piece.length()) < 0 || !pieces.offer(piece)) {
            pieces.clear();
            pieces.offer(Buffer.buffer());
            socket.close();
        }
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public void read(ByteBuffer into, long offset) throws IOException {
        long at = offset;
        while (into.hasRemaining() && at < size) {
            int length = (int) Math.min(Math.min(BundleProtocol.MAX_RANGE_BYTES, into.remaining()), size - at);
            owed.addAndGet(length);
            socket.write(Buffer.buffer()
                    .appendByte(BundleProtocol.READ)
                    .appendLong(at)
                    .appendInt(length));
            int end = into.position() + length;
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(ANSWER_SECONDS);
            while (into.position() < end) {
                Buffer piece = next(at, until);
                into.put(piece.getBytes());
            }
            at += length;
        }
    }

    private Buffer next(long offset, long until) throws IOException {
        try {
            Buffer piece = pieces.poll(until - System.nanoTime(), TimeUnit.NANOSECONDS);
            if (piece == null) {
                throw new IOException("nothing came for byte " + offset);
            }
            if (piece.length() == 0) {
                pieces.offer(piece);
                throw new IOException("the command that holds the bundle is gone, or sent what it was not asked for");
            }
            return piece;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
