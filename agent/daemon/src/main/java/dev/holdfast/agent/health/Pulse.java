package dev.holdfast.agent.health;

import dev.holdfast.trust.client.MetadataSource;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * When a loop last showed that it moves. It beats wherever it waits or goes on to the next thing, each of which is bounded: so a loop that
 * does not beat for longer waits for what never comes. The first beat tells which thread it is. Thread-safe.
 */
public final class Pulse {
    /** Longer than anything between two beats: a document of the fleet (two minutes) with what the TEE and the disk have to do for it. */
    public static final Duration LIMIT = Duration.ofMinutes(5);

    private static final int FRAMES = 12;

    private final LongSupplier nanoTime;
    private volatile long last;
    private volatile @Nullable Thread loop;

    public Pulse() {
        this(System::nanoTime);
    }

    Pulse(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /** The loop is here. */
    public void beat() {
        last = nanoTime.getAsLong();
        if (loop == null) {
            loop = Thread.currentThread();
        }
    }

    /** The same source, for this loop alone: each document that is asked for is a beat, since a look may need many. */
    public MetadataSource beatingWith(MetadataSource source) {
        return new MetadataSource() {
            @Override
            public Optional<byte[]> fetch(String fileName, int maxBytes) throws IOException {
                beat();
                return source.fetch(fileName, maxBytes);
            }

            @Override
            public Optional<byte[]> directorOrder(byte[] nonce) throws IOException {
                beat();
                return source.directorOrder(nonce);
            }

            @Override
            public boolean answersNonces() {
                return source.answersNonces();
            }
        };
    }

    /** Why the loop is of no use, with the place where it hangs; empty where it moves. */
    Optional<String> fault() {
        Thread thread = loop;
        if (thread == null) {
            return Optional.of("the loop has not begun");
        }
        if (!thread.isAlive()) {
            return Optional.of(thread.getName() + " has ended");
        }
        Duration still = Duration.ofNanos(nanoTime.getAsLong() - last);
        if (still.compareTo(LIMIT) <= 0) {
            return Optional.empty();
        }
        StringBuilder text = new StringBuilder(thread.getName())
                .append(" has not moved for ")
                .append(still.toSeconds())
                .append(" s, at ");
        StackTraceElement[] frames = thread.getStackTrace();
        for (int i = 0; i < Math.min(FRAMES, frames.length); i++) {
            text.append(i == 0 ? "" : " < ").append(frames[i]);
        }
        return Optional.of(text.toString());
    }
}
