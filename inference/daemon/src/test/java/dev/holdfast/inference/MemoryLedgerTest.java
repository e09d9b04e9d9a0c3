package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class MemoryLedgerTest {
    private static final long MIB = 1 << 20;

    private final MemoryLedger ledger = new MemoryLedger(100 * MIB);

    private static Sha256 digest(int number) {
        return Sha256.of(new byte[] {(byte) number});
    }

    private static MemoryNeeds heap(long bytes) {
        return new MemoryNeeds(0, bytes, 0, 0);
    }

    private static Rejection refusal(Verdict<?> verdict) {
        return switch (verdict) {
            case Verdict.Rejected<?>(Rejection why) -> why;
            case Verdict.Accepted<?> accepted -> throw new AssertionError(accepted);
        };
    }

    private long used() {
        return ledger.status().usedBytes();
    }

    @Test
    void aRefusalSaysWhatIsNeededWhatIsUsedAndWhatTheBudgetIs() throws Exception {
        MemoryLedger.Share one = ledger.reserve(digest(1), 40 * MIB).orThrow();
        assertThat(one.admit(heap(10 * MIB)).isAccepted()).isTrue();
        Rejection file = refusal(ledger.reserve(digest(2), 50 * MIB + 1));
        assertThat(file.code()).isEqualTo(Code.INS_MEMORY);
        assertThat(file.detail()).contains("needs 51 MiB", "take 50 MiB", "budget is 100 MiB");
        MemoryLedger.Share two = ledger.reserve(digest(2), 30 * MIB).orThrow();
        Rejection heap = refusal(two.admit(heap(20 * MIB + 1)));
        assertThat(heap.code()).isEqualTo(Code.INS_MEMORY);
        assertThat(heap.detail()).contains("needs 51 MiB", "take 50 MiB", "budget is 100 MiB");
        assertThat(used()).isEqualTo(80 * MIB);
        assertThat(two.admit(heap(20 * MIB)).isAccepted()).as("exactly full").isTrue();
        two.release();
        one.release();
        assertThat(used()).isZero();
    }

    @Test
    void theFileOfTwoSlotsOfOneDigestCountsOnce() throws Exception {
        MemoryLedger.Share one = ledger.reserve(digest(1), 80 * MIB).orThrow();
        MemoryLedger.Share two = ledger.reserve(digest(1), 80 * MIB).orThrow();
        assertThat(two.admit(heap(20 * MIB)).isAccepted()).isTrue();
        assertThat(used()).isEqualTo(100 * MIB);
        one.release();
        assertThat(used()).as("the other still maps it").isEqualTo(100 * MIB);
        two.release();
        assertThat(used()).isZero();
    }

    @Test
    void aLengthThatIsWrongHidesNothingOfTheSameFile() throws Exception {
        MemoryLedger.Share wrong = ledger.reserve(digest(1), 0).orThrow();
        assertThat(refusal(ledger.reserve(digest(1), 101 * MIB)).code()).isEqualTo(Code.INS_MEMORY);
        MemoryLedger.Share right = ledger.reserve(digest(1), 60 * MIB).orThrow();
        wrong.release();
        assertThat(used()).isEqualTo(60 * MIB);
        right.release();
        assertThat(used()).isZero();
        assertThat(refusal(ledger.reserve(digest(1), Long.MAX_VALUE)).code()).isEqualTo(Code.INS_MEMORY);
    }

    @Test
    void whatIsGivenBackTwiceCountsOnce() throws Exception {
        MemoryLedger.Share one = ledger.reserve(digest(1), 10 * MIB).orThrow();
        MemoryLedger.Share two = ledger.reserve(digest(2), 10 * MIB).orThrow();
        one.release();
        one.release();
        assertThat(used()).isEqualTo(10 * MIB);
        two.release();
    }

    @Test
    void manyAtOnceNeverGetMoreThanThereIs() throws Exception {
        CountDownLatch together = new CountDownLatch(1);
        List<Future<Boolean>> got = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
            for (int i = 0; i < 64; i++) {
                Sha256 digest = digest(i);
                got.add(threads.submit(() -> {
                    together.await();
                    return ledger.reserve(digest, 20 * MIB).isAccepted();
                }));
            }
            together.countDown();
        }
        int accepted = 0;
        for (Future<Boolean> each : got) {
            accepted += each.get() ? 1 : 0;
        }
        assertThat(accepted).isEqualTo(5);
        assertThat(used()).isEqualTo(100 * MIB);
    }
}
