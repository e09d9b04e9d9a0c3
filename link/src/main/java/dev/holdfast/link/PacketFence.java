package dev.holdfast.link;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * What the client library reads: packets that we wrote ourselves ({@link PlainPacket}), from what {@link PacketReader} has bounded and
 * parsed of those of an untrusted broker. The library reserves what a length says, and dies of texts that it does not like.
 *
 * <p>Nothing is told before CONNECT was sent, not even that the broker hung up: a reader of the library that ends while its other
 * threads are being started leaves one behind that waits for it for ever. One thread reads; the times may be asked for by others.
 */
final class PacketFence extends InputStream {
    /** How long nothing is told of a connection that was closed before CONNECT: three looks of the library at its threads. */
    private static final long HOLD_MILLIS = 300;

    /** Told of each packet before the library gets it, and says what that is to get; what it throws ends the connection. */
    interface Watcher {
        Packet came(Packet packet) throws LinkException;

        void failed(IOException failure);
    }

    private final PacketReader packets;
    private final CountDownLatch spoken;
    private final BooleanSupplier closed;
    private final Watcher watcher;
    private byte[] packet = new byte[0];
    private int at;

    /**
     * @param spoken whether CONNECT was sent
     * @param closed whether the socket was closed on our side
     */
    PacketFence(InputStream in, CountDownLatch spoken, BooleanSupplier closed, Watcher watcher) {
        this.packets = new PacketReader(in);
        this.spoken = spoken;
        this.closed = closed;
        this.watcher = watcher;
    }

    /** When the last byte came. */
    long byteAtNanos() {
        return packets.byteAtNanos();
    }

    /** For how long the packet that is being read has been on its way; 0 between two. */
    long underWayNanos() {
        return packets.underWayNanos();
    }

    /** Makes the next packet ready. A time-out between two packets is passed on: the library looks then whether it was stopped. */
    private void fill() throws IOException {
        if (at < packet.length) {
            return;
        }
        hold();
        try {
            packet = PlainPacket.of(watcher.came(packets.next()));
            at = 0;
        } catch (SocketTimeoutException e) {
            throw e;
        } catch (IOException e) {
            watcher.failed(e);
            throw e;
        }
    }

    private void hold() throws InterruptedIOException {
        boolean interrupted = false;
        long left = TimeUnit.MILLISECONDS.toNanos(HOLD_MILLIS);
        long looked = System.nanoTime();
        while (spoken.getCount() > 0 && left > 0) {
            try {
                if (spoken.await(HOLD_MILLIS / 10, TimeUnit.MILLISECONDS)) {
                    break;
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
            long now = System.nanoTime();
            left -= closed.getAsBoolean() ? now - looked : 0;
            looked = now;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (spoken.getCount() > 0) {
            throw new InterruptedIOException("closed before CONNECT");
        }
    }

    @Override
    public int read() throws IOException {
        fill();
        return packet[at++] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int from, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        fill();
        int n = Math.min(length, packet.length - at);
        System.arraycopy(packet, at, bytes, from, n);
        at += n;
        return n;
    }

    @Override
    public int available() {
        return packet.length - at;
    }

    /** That the broker hung up, between packets or within one. */
    static EOFException hungUp(String where) {
        return new EOFException("the broker closed the connection" + where);
    }
}
