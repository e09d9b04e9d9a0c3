package dev.holdfast.cli;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.time.Duration;

/** Closes a channel on which nothing was heard for a while, so that whoever waits on it does not wait for ever. Thread-safe. */
final class Silence implements AutoCloseable {
    private final SocketChannel channel;
    private final Duration patience;
    private final Thread watch;
    private volatile long heardNanos = System.nanoTime();
    private volatile boolean over;

    Silence(SocketChannel channel, Duration patience) {
        this.channel = channel;
        this.patience = patience;
        this.watch = Thread.ofVirtual().name("silence").start(this::watch);
    }

    /** Says that the other side said something. */
    void heard() {
        heardNanos = System.nanoTime();
    }

    Duration patience() {
        return patience;
    }

    /** Whether the channel was closed because nothing was heard. */
    boolean isOver() {
        return over;
    }

    private void watch() {
        try {
            while (true) {
                long left = patience.toNanos() - (System.nanoTime() - heardNanos);
                if (left <= 0) {
                    over = true;
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
