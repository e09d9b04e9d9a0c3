package dev.holdfast.agent;

import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.updater.EpochFloors;
import dev.holdfast.updater.Withdrawals;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The floors of the security epoch and the withdrawals in the signed record, which nobody knows before the trust client could start. Thread-safe. */
final class TrustFloors implements EpochFloors, Withdrawals {
    /** How long evidence waits at the agent's start: without its floors a verifier that knows some of them refuses it. */
    private static final long START_SECONDS = 10;

    private final CountDownLatch tried = new CountDownLatch(1);
    private volatile Optional<TrustClient> record = Optional.empty();

    void use(TrustClient client) {
        record = Optional.of(client);
        tried.countDown();
    }

    /** The record cannot be opened for now, and nobody need wait for it. */
    void unavailable() {
        tried.countDown();
    }

    @Override
    public long of(String model) throws TeeException {
        return client().epochFloors().getOrDefault(model, 0L);
    }

    @Override
    public void raise(String model, long epoch) throws IOException, TeeException {
        if (client().raiseEpochFloor(model, epoch) instanceof Verdict.Rejected<Long>(Rejection reason)) {
            throw new TeeException(reason.code(), reason.detail());
        }
    }

    /** Before the record is open nothing that serves is taken away: the next look does it. */
    @Override
    public boolean has(Slot slot) {
        return record.map(client -> client.withdrawn().contains(slot.target())).orElse(false);
    }

    private TrustClient client() throws TeeException {
        return record.orElseThrow(
                () -> new TeeException(Code.TEE_UNAVAILABLE, "the record of what this device has seen is not open"));
    }

    /** All floors, for evidence, as soon as the agent has tried to open the record; none where that failed. */
    SortedMap<String, Long> known() {
        try {
            if (!tried.await(START_SECONDS, TimeUnit.SECONDS)) {
                return new TreeMap<>();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return record.map(TrustClient::epochFloors).orElseGet(TreeMap::new);
    }
}
