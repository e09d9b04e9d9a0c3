package dev.holdfast.delta;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Progress;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** A patch applied to whole files, outside of an install. */
public final class DeltaFiles {
    private DeltaFiles() {}

    /**
     * Makes {@code result} from {@code base} and {@code patch}. The file gets its name only when all is well and on the disk.
     *
     * @param threads threads that make blocks; 1 for the caller's alone
     * @return the result's hash, or why there is none
     */
    public static Verdict<Sha256> apply(Path base, Path patch, Path result, int threads, Progress progress)
            throws IOException {
        Path temporary = result.resolveSibling(result.getFileName() + ".tmp");
        Verdict<DeltaApplier> opened = DeltaApplier.open(base, patch);
        return switch (opened) {
            case Verdict.Rejected<DeltaApplier> rejected -> rejected.as();
            case Verdict.Accepted<DeltaApplier>(DeltaApplier applier) -> {
                try (applier) {
                    Verdict<Sha256> made = write(applier, temporary, threads, progress);
                    if (made.isAccepted()) {
                        Files.move(temporary, result, StandardCopyOption.ATOMIC_MOVE);
                    }
                    yield made;
                } finally {
                    Files.deleteIfExists(temporary);
                }
            }
        };
    }

    private static Verdict<Sha256> write(DeltaApplier applier, Path file, int threads, Progress progress)
            throws IOException {
        MessageDigest digest = Sha256.newDigest();
        try (FileChannel out = FileChannel.open(
                        file,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.WRITE);
                Ahead blocks = new Ahead(applier, threads)) {
            long done = 0;
            for (int i = 0; i < applier.blockCount(); i++) {
                switch (blocks.next()) {
                    case Verdict.Rejected<byte[]>(Rejection reason) -> {
                        return new Verdict.Rejected<>(reason);
                    }
                    case Verdict.Accepted<byte[]>(byte[] made) -> {
                        digest.update(made);
                        for (ByteBuffer left = ByteBuffer.wrap(made); left.hasRemaining(); ) {
                            out.write(left);
                        }
                        done += made.length;
                        progress.at(done, applier.resultBytes());
                    }
                }
            }
            out.force(true);
        }
        return Sha256.finish(digest).equals(applier.result())
                ? Verdict.accepted(applier.result())
                : Verdict.rejected(Code.INS_DIGEST, "the result is not " + applier.result());
    }

    /** Blocks in order, made by several threads a few ahead of the reader. */
    private static final class Ahead implements AutoCloseable {
        private final DeltaApplier applier;
        private final int threads;
        private final ExecutorService pool;
        private final Deque<Future<Verdict<byte[]>>> under = new ArrayDeque<>();
        private int started;

        Ahead(DeltaApplier applier, int threads) {
            this.applier = applier;
            this.threads = threads;
            this.pool = Executors.newFixedThreadPool(
                    Math.max(1, threads - 1),
                    Thread.ofPlatform().name("delta-", 0).daemon().factory());
        }

        Verdict<byte[]> next() throws IOException {
            if (threads == 1) {
                return applier.block(started++);
            }
            while (under.size() < 2 * threads && started < applier.blockCount()) {
                int index = started++;
                under.add(pool.submit(() -> applier.block(index)));
            }
            try {
                return under.remove().get();
            } catch (ExecutionException e) {
                throw e.getCause() instanceof IOException failed ? failed : new IOException(e.getCause());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }

        @Override
        public void close() {
            pool.shutdownNow();
        }
    }
}
