package dev.holdfast.updater;

import dev.holdfast.trust.client.BlockSource;
import dev.holdfast.trust.client.RetryLaterException;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Pulls one file block by block. A block is kept only when its hash is the leaf that the signed tree names; what was
 * kept is never asked for again, not even by the next process. Transport failures are tried again with growing pauses
 * as long as there is progress now and then; cancel always wins.
 */
final class BlockDownload {
    private final ModelStore store;
    private final BlockSource source;
    private final InstallerConfig config;
    private final Cancellation cancellation;
    private final Backoff backoff;
    private final TokenBucket bucket;
    private final AtomicLong receivedBytes = new AtomicLong();
    private final AtomicLong refusedBlocks = new AtomicLong();
    private final AtomicInteger doneBlocks = new AtomicInteger();
    private final AtomicInteger totalBlocks = new AtomicInteger();

    BlockDownload(InstallContext context) {
        this.store = context.store();
        this.source = context.ports().blocks();
        this.config = context.config();
        this.cancellation = context.cancellation();
        this.backoff = context.backoff();
        this.bucket = context.turns().pace();
    }

    /**
     * Pulls a file whose block tree says all there is to say about it. Returns when every block is verified and durable.
     *
     * <p>A departure from TUF (section 5.7.2), which has the client check the length and the hash of the whole target: the root of
     * the tree is in the same signed entry as that hash, and with the length it fixes each byte as well.
     */
    void run(TargetFile file, BlockTree tree) throws IOException, InstallStop {
        try (PartialFile partial = PartialFile.open(store.disk(), store.part(file.sha256()), cut(file, tree))) {
            pull(file, tree, partial);
            partial.commit();
        }
    }

    /** Pulls a file that is known by one hash, as a model is: its name, and what is measured. The caller compares it. */
    PartialFile.Whole runHashed(TargetFile file, BlockTree tree) throws IOException, InstallStop {
        try (PartialFile partial = PartialFile.openHashed(store.disk(), store.part(file.sha256()), cut(file, tree))) {
            pull(file, tree, partial);
            return partial.finish();
        }
    }

    private static PartialFile.Cut cut(TargetFile file, BlockTree tree) {
        return PartialFile.Cut.of(tree, file.length());
    }

    private void pull(TargetFile file, BlockTree tree, PartialFile partial) throws IOException, InstallStop {
        Cancellation.Deadline deadline =
                cancellation.deadline(config.deadlines().download());
        int count = tree.count(file.length());
        totalBlocks.set(count);
        Attempts attempts = new Attempts(deadline);
        List<Sha256> leaves = leaves(file.sha256(), tree, count, attempts);
        // A killed process loses no block this way, and a bitmap that outlived its data (a disk that lies about fsync)
        // does no
        // harm. Hashing is cheaper than a second transfer.
        partial.recheck(leaves);
        doneBlocks.set(partial.count());
        receivedBytes.addAndGet(partial.spentBytes());
        for (int missing; (missing = partial.nextMissing(0)) >= 0; ) {
            cancellation.requireUnpaused();
            List<Integer> wanted = wanted(partial, missing, bucket.blocks(BlockSource.MAX_WANTED, tree.bytes()));
            cancellation.sleepUnpaused(Duration.ofNanos(bucket.take((long) wanted.size() * tree.bytes())));
            pull(file, tree, leaves, partial, wanted, attempts);
        }
    }

    private static List<Integer> wanted(PartialFile partial, int first, int most) {
        List<Integer> wanted = new ArrayList<>();
        for (int i = first; i >= 0 && wanted.size() < most; i = partial.nextMissing(i + 1)) {
            wanted.add(i);
        }
        return wanted;
    }

    private void pull(
            TargetFile file,
            BlockTree tree,
            List<Sha256> leaves,
            PartialFile partial,
            List<Integer> wanted,
            Attempts attempts)
            throws IOException, InstallStop {
        int before = partial.count();
        long received = receivedBytes.get();
        Set<Integer> open = new HashSet<>(wanted);
        IOException failure = null;
        try {
            source.fetch(file.sha256(), tree.bytes(), wanted, (index, block) -> {
                receivedBytes.addAndGet(block.length());
                partial.spend(block.length());
                if (!open.contains(index) || partial.has(index)) {
                    refusedBlocks.incrementAndGet();
                } else if (block.length() != length(index, file, tree)
                        || !MerkleTree.leaf(block).equals(leaves.get(index))) {
                    refusedBlocks.incrementAndGet();
                } else {
                    partial.write(index, block);
                    doneBlocks.incrementAndGet();
                }
            });
        } catch (StorageException e) {
            throw e;
        } catch (IOException e) {
            failure = e;
        }
        if (receivedBytes.get() > received) {
            // Whatever came counts against the budget, of later processes too.
            partial.commit();
        }
        if (receivedBytes.get() > config.budget().bytes()) {
            throw InstallStop.failed(Code.INS_BUDGET, receivedBytes.get() + " bytes came");
        }
        if (partial.count() > before) {
            attempts.progress();
        }
        if (failure != null) {
            attempts.failed(failure);
        } else if (partial.count() == before) {
            attempts.failed(new Rejection(Code.BLK_HASH, "none of " + wanted.size() + " blocks held"));
        }
    }

    private List<Sha256> leaves(Sha256 blob, BlockTree tree, int count, Attempts attempts)
            throws IOException, InstallStop {
        Path stored = store.leavesFile(blob);
        if (Files.exists(stored) && Files.size(stored) == (long) count * Sha256.BYTES) {
            byte[] bytes = Files.readAllBytes(stored);
            List<Sha256> leaves = new ArrayList<>(count);
            for (int i = 0; i < count; i++) {
                leaves.add(new Sha256(Binary.copyOf(bytes, i * Sha256.BYTES, Sha256.BYTES)));
            }
            if (MerkleTree.root(leaves).equals(tree.root())) {
                return leaves;
            }
        }
        while (true) {
            cancellation.requireUnpaused();
            try {
                List<Sha256> leaves = pullLeaves(blob, count);
                if (MerkleTree.root(leaves).equals(tree.root())) {
                    ByteBuffer bytes = ByteBuffer.allocate(count * Sha256.BYTES);
                    leaves.forEach(leaf -> bytes.put(leaf.toArray()));
                    store.disk().replace(stored, bytes.array());
                    return leaves;
                }
                attempts.failed(new Rejection(Code.BLK_HASH, "the leaves do not lead to the signed root"));
            } catch (StorageException e) {
                throw e;
            } catch (IOException e) {
                attempts.failed(e);
            }
        }
    }

    private List<Sha256> pullLeaves(Sha256 blob, int count) throws IOException {
        List<Sha256> leaves = new ArrayList<>(count);
        while (leaves.size() < count) {
            int wanted = Math.min(BlockSource.MAX_LEAVES, count - leaves.size());
            List<Sha256> some = source.leaves(blob, leaves.size(), wanted);
            if (some.size() != wanted) {
                throw new IOException(some.size() + " leaves came, not " + wanted);
            }
            leaves.addAll(some);
        }
        return leaves;
    }

    private static int length(int index, TargetFile file, BlockTree tree) {
        return (int) Math.min(tree.bytes(), file.length() - (long) index * tree.bytes());
    }

    InstallProgress progress(InstallState state) {
        return new InstallProgress(
                state, doneBlocks.get(), totalBlocks.get(), receivedBytes.get(), refusedBlocks.get());
    }

    /** Counts failures in a row. */
    private final class Attempts {
        private final Cancellation.Deadline deadline;
        private int failures;

        Attempts(Cancellation.Deadline deadline) {
            this.deadline = deadline;
        }

        void progress() throws InstallStop {
            failures = 0;
            deadline.require(InstallState.DOWNLOADING);
        }

        /** The service's own word on when to come back counts where it asks for more than the backoff. */
        void failed(IOException failure) throws InstallStop {
            failed(
                    SourceException.reasonOf(failure),
                    failure instanceof RetryLaterException later ? later.after() : Duration.ZERO);
        }

        void failed(Rejection reason) throws InstallStop {
            failed(reason, Duration.ZERO);
        }

        private void failed(Rejection reason, Duration atLeast) throws InstallStop {
            deadline.require(InstallState.DOWNLOADING);
            if (++failures > config.retries().most()) {
                throw InstallStop.interrupted(reason.code(), reason.detail() + " (" + failures + " attempts)");
            }
            Duration pause = backoff.pause(failures - 1);
            cancellation.sleepUnpaused(pause.compareTo(atLeast) < 0 ? atLeast : pause);
        }
    }
}
