package dev.holdfast.cli;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.time.Duration;

/** Closes a channel on which nothing was heard for a while, so that whoever waits on it does not wait for ever. Thread-safe. */
final class Silence implements AutoCloseable {
    private final SocketChannel channel;
    private final long patienceNanos;
    private final Thread watch;
    private volatile long heardNanos = System.nanoTime();

    Silence(SocketChannel channel, Duration patience) {
        this.channel = channel;
        this.patienceNanos = patience.toNanos();
        this.watch = Thread.ofVirtual().name("silence").start(this::watch);
    }

    /** Says that the other side said something. */
    void heard() {
        heardNanos = System.nanoTime();
    }

    private void watch() {
        try {
            while (true) {
                long left = patienceNanos - (System.nanoTime() - heardNanos);
                if (left <= 0) {
                    channel.close();
                    return;
                }
                Thread.sleep(Duration.ofNanos(left));
            }
        } catch (InterruptedException | IOException e) {
            // It is over, or the channel is closed by now.
        }
    }

    @Override
    public void close() {
        watch.interrupt();
    }
}
