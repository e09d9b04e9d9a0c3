package dev.holdfast.updater;

import dev.holdfast.storage.DiskException;
import dev.holdfast.trust.client.BlockSource;
import dev.holdfast.trust.client.RetryLaterException;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.updater.InstallerConfig.Budget;
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
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Pulls one file block by block. A block is kept only when its hash is the leaf that the signed tree names; what was
 * kept is never asked for again, not even by the next process. Transport failures are tried again with growing pauses
 * as long as there is progress now and then; cancel always wins.
 *
 * <p>Wrong bytes cost time: after {@value #MAX_BAD_ANSWERS} of them a question is given up and asked anew later. Against the budget of an
 * order counts what was kept alone, and each block once: what the disk lost comes again and is no fault of the order.
 */
final class BlockDownload {
    /** Answers to one question that do not hold, after which nobody listens to it any more. */
    static final int MAX_BAD_ANSWERS = 16;

    private final ModelStore store;
    private final BlockSource source;
    private final InstallerConfig config;
    private final Cancellation cancellation;
    private final Backoff backoff;
    private final DownloadTurns turns;
    private final AtomicLong receivedBytes = new AtomicLong();
    private final AtomicLong refusedBlocks = new AtomicLong();
    private final AtomicInteger doneBlocks = new AtomicInteger();
    private final AtomicInteger totalBlocks = new AtomicInteger();
    private final AtomicLong totalBytes = new AtomicLong();
    /** Bytes that were kept of each file of the install, by earlier processes too: of each block once, though the disk may lose it. */
    private final Map<Sha256, Long> keptBytes = new HashMap<>();

    BlockDownload(InstallContext context) {
        this.store = context.store();
        this.source = context.ports().blocks();
        this.config = context.config();
        this.cancellation = context.cancellation();
        this.backoff = context.backoff();
        this.turns = context.turns();
    }

    /**
     * Pulls a file whose block tree says all there is to say about it. Returns when every block is verified and durable.
     *
     * <p>A departure from TUF (section 5.7.2), which has the client check the length and the hash of the whole target: the root of
     * the tree is in the same signed entry as that hash, and with the length it fixes each byte as well.
     */
    void run(TargetFile file, BlockTree tree) throws IOException, InstallStop {
        try (PartialFile partial = PartialFile.open(store.disk(), store.part(file.sha256()), cut(file, tree))) {
            new Pull(file, tree, partial).run();
            partial.commit();
        }
    }

    /** Pulls a file that is known by one hash, as a model is: its name, and what is measured. The caller compares it. */
    PartialFile.Whole runHashed(TargetFile file, BlockTree tree) throws IOException, InstallStop {
        try (PartialFile partial = PartialFile.openHashed(store.disk(), store.part(file.sha256()), cut(file, tree))) {
            new Pull(file, tree, partial).run();
            return partial.finish();
        }
    }

    /**
     * Whether the bytes on the disk of a file that was pulled are still those that the signed tree names: where they are, and its hash is
     * not the signed one, what was signed contradicts itself.
     */
    boolean stillHolds(TargetFile file, BlockTree tree) throws IOException, InstallStop {
        try (PartialFile partial = PartialFile.open(store.disk(), store.part(file.sha256()), cut(file, tree))) {
            Pull pull = new Pull(file, tree, partial);
            partial.recheck(pull.leaves());
            return partial.nextMissing(0) < 0;
        }
    }

    private static PartialFile.Cut cut(TargetFile file, BlockTree tree) {
        return PartialFile.Cut.of(tree, file.length());
    }

    /** Counts for the day what came over a link; a bundle costs nobody anything. */
    private void paid(long bytes) {
        if (config.budget().dailyBytes() != Long.MAX_VALUE) {
            turns.daily().count(bytes);
        }
    }

    InstallProgress progress(InstallState state) {
        return new InstallProgress(
                state, doneBlocks.get(), totalBlocks.get(), totalBytes.get(), receivedBytes.get(), refusedBlocks.get());
    }

    /** The transfer of one file. */
    private final class Pull {
        private final TargetFile file;
        private final BlockTree tree;
        private final PartialFile partial;
        private final int count;
        private final Attempts attempts =
                new Attempts(cancellation.deadline(config.deadlines().download()));

        Pull(TargetFile file, BlockTree tree, PartialFile partial) {
            this.file = file;
            this.tree = tree;
            this.partial = partial;
            this.count = tree.count(file.length());
        }

        void run() throws IOException, InstallStop {
            totalBlocks.set(count);
            totalBytes.set(file.length());
            List<Sha256> leaves = leaves();
            // A killed process loses no block this way, and a bitmap that outlived its data (a disk that lies about
            // fsync)
            // does no
            // harm. Hashing is cheaper than a second transfer.
            partial.recheck(leaves);
            doneBlocks.set(partial.count());
            kept();
            Budget budget = config.budget();
            for (int missing; (missing = partial.nextMissing(0)) >= 0; ) {
                cancellation.requireUnpaused();
                turns.daily().require(tree.bytes(), budget.dailyBytes());
                int most = turns.pace().blocks(BlockSource.MAX_WANTED, tree.bytes());
                List<Integer> wanted = wanted(missing, turns.daily().blocks(most, tree.bytes(), budget.dailyBytes()));
                cancellation.sleepUnpaused(Duration.ofNanos(turns.pace().take((long) wanted.size() * tree.bytes())));
                ask(leaves, wanted);
            }
        }

        /** What was kept of all files. A file that was discarded and is pulled again counts once as well. */
        private long kept() {
            keptBytes.merge(file.sha256(), partial.spentBytes(), Math::max);
            return keptBytes.values().stream().mapToLong(Long::longValue).sum();
        }

        private List<Integer> wanted(int first, int most) {
            List<Integer> wanted = new ArrayList<>();
            for (int i = first; i >= 0 && wanted.size() < most; i = partial.nextMissing(i + 1)) {
                wanted.add(i);
            }
            return wanted;
        }

        private void ask(List<Sha256> leaves, List<Integer> wanted) throws IOException, InstallStop {
            int before = partial.count();
            Question question = new Question(leaves, wanted);
            IOException failure = null;
            try {
                source.fetch(file.sha256(), new BlockSource.Cut(file.length(), tree.bytes()), wanted, question::answer);
            } catch (DiskException e) {
                throw e;
            } catch (IOException e) {
                failure = e;
            }
            turns.daily().keep(config.budget().dailyBytes());
            if (partial.count() > before) {
                // What was kept counts against the budget, of later processes too.
                partial.commit();
                config.budget().require(kept());
                attempts.progress();
            }
            if (failure != null) {
                attempts.failed(failure);
            } else if (partial.count() == before) {
                attempts.failed(new Rejection(Code.BLK_HASH, "none of " + wanted.size() + " blocks held"));
            }
        }

        private int length(int index) {
            return (int) Math.min(tree.bytes(), file.length() - (long) index * tree.bytes());
        }

        /** One question, and what of its answers is believed. */
        private final class Question {
            private final List<Sha256> leaves;
            private final Set<Integer> open;
            private int bad;

            Question(List<Sha256> leaves, List<Integer> wanted) {
                this.leaves = leaves;
                this.open = new HashSet<>(wanted);
            }

            /** Whether the block is here now. */
            boolean answer(int index, Binary block) throws IOException {
                receivedBytes.addAndGet(block.length());
                paid(block.length());
                if (open.contains(index) && partial.has(index)) {
                    refusedBlocks.incrementAndGet();
                    return true;
                }
                if (!open.contains(index)
                        || block.length() != length(index)
                        || !MerkleTree.leaf(block).equals(leaves.get(index))) {
                    refusedBlocks.incrementAndGet();
                    if (++bad >= MAX_BAD_ANSWERS) {
                        throw new SourceException(
                                Code.BLK_HASH, bad + " answers to one question do not hold; it is asked anew later");
                    }
                    return false;
                }
                partial.write(index, block);
                partial.spend(index);
                doneBlocks.incrementAndGet();
                return true;
            }
        }

        List<Sha256> leaves() throws IOException, InstallStop {
            Path stored = store.leavesFile(file.sha256());
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
                turns.daily().require(1, config.budget().dailyBytes());
                try {
                    List<Sha256> leaves = pullLeaves();
                    if (MerkleTree.root(leaves).equals(tree.root())) {
                        ByteBuffer bytes = ByteBuffer.allocate(count * Sha256.BYTES);
                        leaves.forEach(leaf -> bytes.put(leaf.toArray()));
                        store.disk().replace(stored, bytes.array());
                        return leaves;
                    }
                    attempts.failed(new Rejection(Code.BLK_HASH, "the leaves do not lead to the signed root"));
                } catch (DiskException e) {
                    throw e;
                } catch (IOException e) {
                    attempts.failed(e);
                }
            }
        }

        private List<Sha256> pullLeaves() throws IOException {
            List<Sha256> leaves = new ArrayList<>(count);
            while (leaves.size() < count) {
                int wanted = Math.min(BlockSource.MAX_LEAVES, count - leaves.size());
                List<Sha256> some = source.leaves(file.sha256(), leaves.size(), wanted);
                paid((long) some.size() * Sha256.BYTES);
                if (some.size() != wanted) {
                    throw new SourceException(Code.WIRE_FIELD, some.size() + " leaves came, not " + wanted);
                }
                leaves.addAll(some);
            }
            return leaves;
        }
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
