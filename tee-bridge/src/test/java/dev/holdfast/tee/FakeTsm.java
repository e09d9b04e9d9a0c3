package dev.holdfast.tee;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The kernel's side of configfs-tsm in a directory of a test: {@code inblob} and {@code outblob} are named pipes, so that
 * each step of the two sides waits for the other's, as a system call does. One thread.
 */
final class FakeTsm implements AutoCloseable {
    private final Path entry;
    private final Thread kernel;
    /** How often somebody else writes between our write and our read, in the requests to come. */
    final AtomicInteger intruders = new AtomicInteger();

    final AtomicInteger requests = new AtomicInteger();
    private volatile long generation;

    private FakeTsm(Path entry, UnaryOperator<byte[]> guard) {
        this.entry = entry;
        this.kernel = Thread.ofPlatform().name("fake-kernel").daemon().unstarted(() -> serve(guard));
    }

    /** Makes the entry below {@code root}, as the kernel does when somebody makes its directory. */
    static FakeTsm start(Path root, String provider, @Nullable String auxiliary, UnaryOperator<byte[]> guard)
            throws Exception {
        Path entry = Files.createDirectory(root.resolve("holdfast"));
        for (String pipe : new String[] {"inblob", "outblob"}) {
            int made = new ProcessBuilder("mkfifo", entry.resolve(pipe).toString())
                    .start()
                    .waitFor();
            if (made != 0) {
                throw new IOException("mkfifo");
            }
        }
        Files.writeString(entry.resolve("provider"), provider + "\n");
        Files.writeString(entry.resolve("generation"), "0\n");
        if (auxiliary != null) {
            Files.writeString(entry.resolve("auxblob"), auxiliary);
        }
        FakeTsm fake = new FakeTsm(entry, guard);
        fake.kernel.start();
        return fake;
    }

    private void serve(UnaryOperator<byte[]> guard) {
        try {
            while (!Thread.currentThread().isInterrupted()) {
                byte[] data = Files.readAllBytes(entry.resolve("inblob"));
                requests.incrementAndGet();
                boolean intruded = intruders.getAndUpdate(left -> Math.max(0, left - 1)) > 0;
                generation += intruded ? 2 : 1;
                Files.writeString(entry.resolve("generation"), generation + "\n");
                byte[] report = guard.apply(data);
                try (FileChannel out = FileChannel.open(entry.resolve("outblob"), StandardOpenOption.WRITE)) {
                    var bytes = java.nio.ByteBuffer.wrap(report);
                    while (bytes.hasRemaining()) {
                        out.write(bytes);
                    }
                } catch (IOException e) {
                    // The reader had enough: the report was too long for it.
                }
            }
        } catch (IOException e) {
            // The directory is gone, or the thread was interrupted: the test is over.
        }
    }

    @Override
    public void close() {
        kernel.interrupt();
    }
}
