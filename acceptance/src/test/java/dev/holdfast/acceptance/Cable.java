package dev.holdfast.acceptance;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

/** The device's line to its broker. It carries every byte unchanged, can run slowly, and can be unplugged. */
final class Cable implements AutoCloseable {
    private final ServerSocket listener;
    private final int target;
    private final List<Socket> ends = new CopyOnWriteArrayList<>();
    private final AtomicLong down = new AtomicLong();
    private final AtomicLong up = new AtomicLong();
    private volatile int bytesPerMilli = Integer.MAX_VALUE;
    private volatile boolean unplugged;

    Cable(int target) throws IOException {
        this.target = target;
        listener = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
        Thread.ofPlatform().daemon().name("cable").start(this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    /** Limits what goes towards the device. */
    void slow(int bytesPerMilli) {
        this.bytesPerMilli = bytesPerMilli;
    }

    /** Hangs up on everyone and on whoever comes, until {@link #plug}. */
    void unplug() {
        unplugged = true;
        ends.forEach(Cable::hangUp);
        ends.clear();
    }

    void plug() {
        unplugged = false;
    }

    /** Bytes that went towards the device so far. */
    long carriedDown() {
        return down.get();
    }

    /** Bytes that came from the device so far. */
    long carriedUp() {
        return up.get();
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket near = listener.accept();
                if (unplugged) {
                    hangUp(near);
                    continue;
                }
                ends.add(near);
                Socket far = new Socket(InetAddress.getLoopbackAddress(), target);
                ends.add(far);
                Thread.ofPlatform().daemon().start(() -> carry(near, far, false));
                Thread.ofPlatform().daemon().start(() -> carry(far, near, true));
            } catch (IOException e) {
                // The broker is away: whoever connected is hung up on, as a dead broker would.
                ends.forEach(Cable::hangUp);
                ends.clear();
            }
        }
    }

    private void carry(Socket from, Socket to, boolean towardsDevice) {
        byte[] buffer = new byte[4096];
        try (from;
                to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int n; (n = in.read(buffer)) >= 0; ) {
                out.write(buffer, 0, n);
                if (towardsDevice) {
                    down.addAndGet(n);
                    if (bytesPerMilli < Integer.MAX_VALUE) {
                        Thread.sleep(n / bytesPerMilli + 1);
                    }
                } else {
                    up.addAndGet(n);
                }
            }
        } catch (IOException e) {
            // One side is gone; closing the other tells it so.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void hangUp(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        ends.forEach(Cable::hangUp);
    }
}
