package dev.holdfast.tee.tpm;

import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * One TPM behind one thread. {@link #call} queues an operation on the thread {@code tee}; an operation sends its
 * commands with {@link #transmit}. A command that exceeds its deadline has its channel closed under it. A broken channel
 * is opened again by the next operation. Thread-safe.
 */
final class TpmConnection implements AutoCloseable {
    /** The largest command or response of a PC Client TPM (TPM_PT_MAX_RESPONSE_SIZE). */
    static final int MAX_BYTES = 4096;

    static final int HEADER_BYTES = 10;
    /** An operation has at most this many commands that can each use the whole deadline. */
    private static final int DEADLINES_PER_OPERATION = 6;

    /** Opens a channel that carries bare commands and responses. */
    @FunctionalInterface
    interface Connector {
        ByteChannel open() throws IOException;
    }

    /** Runs on the {@code tee} thread. */
    @FunctionalInterface
    interface Operation<T> {
        T run() throws TeeException, RejectedException;
    }

    private final Connector connector;
    private final Operation<?> onConnect;
    private final Duration deadline;
    private final ExecutorService tee;
    private final ScheduledThreadPoolExecutor watchdog;
    private @Nullable ByteChannel channel;

    /** @param onConnect runs on every fresh channel before anything else */
    TpmConnection(
            Connector connector,
            Duration deadline,
            java.util.function.Function<TpmConnection, Operation<?>> onConnect) {
        this.connector = connector;
        this.deadline = deadline;
        this.onConnect = onConnect.apply(this);
        this.tee = Executors.newSingleThreadExecutor(
                Thread.ofPlatform().daemon().name("tee").factory());
        this.watchdog = new ScheduledThreadPoolExecutor(
                1, Thread.ofPlatform().daemon().name("tee-watchdog").factory());
        this.watchdog.setRemoveOnCancelPolicy(true);
    }

    /** Runs {@code operation} on the thread {@code tee} and waits for it. */
    <T> T call(Operation<T> operation) throws TeeException {
        Future<T> future;
        try {
            future = tee.submit(() -> connected(operation));
        } catch (RejectedExecutionException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "the bridge is closed", e);
        }
        try {
            return future.get(deadline.toMillis() * DEADLINES_PER_OPERATION, TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case TeeException tee -> throw new TeeException(tee);
                case RejectedException rejected ->
                    throw new TeeException(
                            Code.TEE_RESPONSE, rejected.rejection().detail(), rejected);
                case RuntimeException bug -> throw bug;
                case null, default -> throw new IllegalStateException(e);
            }
        } catch (TimeoutException e) {
            future.cancel(true);
            throw new TeeException(Code.TEE_UNAVAILABLE, "the TPM is busy beyond the deadline", e);
        } catch (InterruptedException e) {
            future.cancel(false);
            Thread.currentThread().interrupt();
            throw new TeeException(Code.TEE_UNAVAILABLE, "interrupted while waiting for the TPM", e);
        }
    }

    /** Sends one command and reads one response, whose header is checked against its length. Only on {@code tee}. */
    byte[] transmit(byte[] command) throws TeeException {
        ByteChannel open = channel;
        if (open == null) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "no channel to the TPM");
        }
        ScheduledFuture<?> guard =
                watchdog.schedule(() -> closeQuietly(open), deadline.toNanos(), TimeUnit.NANOSECONDS);
        try {
            ByteBuffer out = ByteBuffer.wrap(command);
            while (out.hasRemaining()) {
                open.write(out);
            }
            return receive(open);
        } catch (IOException e) {
            drop();
            throw new TeeException(
                    Code.TEE_UNAVAILABLE, open.isOpen() ? "the TPM went away" : "no response in " + deadline, e);
        } finally {
            guard.cancel(false);
        }
    }

    /** Forgets a channel on which nothing sensible can be expected any more. Only on {@code tee}. */
    void drop() {
        ByteChannel old = channel;
        channel = null;
        if (old != null) {
            closeQuietly(old);
        }
    }

    @Override
    public void close() {
        if (tee.isShutdown()) {
            return;
        }
        tee.execute(this::drop);
        tee.shutdown();
        try {
            tee.awaitTermination(deadline.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        watchdog.shutdownNow();
    }

    private <T> T connected(Operation<T> operation) throws TeeException, RejectedException {
        if (channel != null && isBroken(channel)) {
            drop();
        }
        if (channel == null) {
            try {
                channel = connector.open();
            } catch (IOException e) {
                throw new TeeException(Code.TEE_UNAVAILABLE, "no connection to the TPM", e);
            }
            try {
                onConnect.run();
            } catch (TeeException | RejectedException e) {
                drop();
                throw e;
            }
        }
        try {
            return operation.run();
        } catch (RejectedException e) {
            // What the TPM keeps loaded after an answer that cannot be read is unknown; a fresh channel starts clean.
            drop();
            throw e;
        }
    }

    private byte[] receive(ByteChannel open) throws IOException, TeeException {
        // A character device hands over the response in one read, a socket in pieces.
        ByteBuffer in = ByteBuffer.allocate(MAX_BYTES);
        int expected = HEADER_BYTES;
        while (in.position() < expected) {
            if (open.read(in) < 0) {
                throw new EOFException("the TPM closed the channel");
            }
            if (in.position() >= HEADER_BYTES) {
                int size = in.getInt(2);
                if (size < HEADER_BYTES || size > MAX_BYTES) {
                    throw confused("a response of " + Integer.toUnsignedString(size) + " bytes");
                }
                expected = size;
            }
        }
        if (in.position() > expected) {
            throw confused("bytes after the response");
        }
        byte[] response = new byte[expected];
        in.flip().get(response);
        return response;
    }

    private TeeException confused(String detail) {
        drop();
        return new TeeException(Code.TEE_RESPONSE, detail);
    }

    /** Whether the peer has gone, asked before a command is sent, so that no command's fate stays unknown. */
    private static boolean isBroken(ByteChannel open) {
        if (!open.isOpen()) {
            return true;
        }
        if (!(open instanceof SocketChannel socket)) {
            return false;
        }
        try {
            socket.configureBlocking(false);
            // Nothing was asked, so anything but "nothing there" means that the two sides disagree.
            int read = socket.read(ByteBuffer.allocate(1));
            socket.configureBlocking(true);
            return read != 0;
        } catch (IOException e) {
            return true;
        }
    }

    private static void closeQuietly(ByteChannel open) {
        try {
            open.close();
        } catch (IOException e) {
            // It is being given up.
        }
    }
}
