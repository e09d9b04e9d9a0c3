package dev.holdfast.link;

import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import org.eclipse.paho.mqttv5.client.MqttPingSender;
import org.eclipse.paho.mqttv5.client.internal.ClientComms;
import org.jspecify.annotations.Nullable;

/**
 * When the client library looks whether it has to ask the broker for a sign of life. Its own timer takes the first look after the
 * keep-alive that it asked for, and is then too late for a broker that wants to hear from it sooner. Used by the library's threads.
 */
final class LibraryPings implements MqttPingSender {
    private final ScheduledExecutorService threads;
    private final IntSupplier seconds;
    private volatile @Nullable ClientComms library;
    private volatile boolean stopped;

    /** @param seconds the keep-alive that is in force once the broker has accepted the connection */
    LibraryPings(ScheduledExecutorService threads, IntSupplier seconds) {
        this.threads = threads;
        this.seconds = seconds;
    }

    @Override
    public void init(ClientComms comms) {
        library = comms;
    }

    @Override
    public void start() {
        schedule(TimeUnit.SECONDS.toMillis(seconds.getAsInt()));
    }

    @Override
    public void stop() {
        stopped = true;
    }

    @Override
    public void schedule(long millis) {
        try {
            var unused = threads.schedule(this::look, millis, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            // The connection has ended, and its threads with it.
        }
    }

    /** The library says then itself when it wants the next one. */
    private void look() {
        ClientComms current = library;
        if (current != null && !stopped) {
            current.checkForActivity();
        }
    }
}
