package dev.holdfast.fleet.attest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.fleet.attest.AttestSchedule.Turn;
import dev.holdfast.fleet.attest.AttestSchedule.Why;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Whose turn it is, by a clock that the test moves. */
class AttestScheduleTest {
    private static final Duration DAY = Duration.ofDays(1);

    private long now = -5_000_000_000L;
    private final AttestSchedule schedule = new AttestSchedule(() -> now, new Random(7));

    private void pass(Duration time) {
        now += time.toNanos();
    }

    private boolean asksWithin(Duration span, Duration step, String device) {
        for (long end = now + span.toNanos(); now < end; pass(step)) {
            Optional<Turn> turn = schedule.next();
            if (turn.isPresent()) {
                assertThat(turn.get().device()).isEqualTo(device);
                return true;
            }
        }
        return false;
    }

    @Test
    void aDeviceThatAnsweredIsAskedAgainBeforeItsIntervalIsOverAndNotMuchBefore() {
        schedule.put("cam-7", DAY, Optional.empty(), Duration.ZERO);
        assertThat(asksWithin(Duration.ofMinutes(1), Duration.ofSeconds(1), "cam-7"))
                .isTrue();
        for (int i = 0; i < 10; i++) {
            schedule.done("cam-7", true);
            assertThat(asksWithin(Duration.ofMinutes(1295), Duration.ofMinutes(1), "cam-7"))
                    .isFalse();
            assertThat(asksWithin(Duration.ofMinutes(145), Duration.ofMinutes(1), "cam-7"))
                    .isTrue();
        }
    }

    @Test
    void aThousandThatAreDueAtOnceAreAskedOneAfterTheOtherAndFewAtATime() {
        for (int i = 0; i < 1000; i++) {
            schedule.put("cam-" + i, DAY, Optional.empty(), Duration.ofDays(-3));
        }
        Set<String> asked = new HashSet<>();
        List<Turn> open = new ArrayList<>();
        int mostInASecond = 0;
        for (int second = 0; second < 200; second++) {
            int inThis = 0;
            for (int step = 0; step < 50; step++, pass(Duration.ofMillis(20))) {
                for (Optional<Turn> turn = schedule.next(); turn.isPresent(); turn = schedule.next()) {
                    asked.add(turn.get().device());
                    open.add(turn.get());
                    inThis++;
                }
                assertThat(open.size()).isLessThanOrEqualTo(AttestSchedule.MAX_OPEN);
                if (open.size() > 10) {
                    schedule.done(open.removeFirst().device(), true);
                }
            }
            mostInASecond = Math.max(mostInASecond, inThis);
        }
        assertThat(asked).hasSize(1000);
        assertThat(mostInASecond).isLessThanOrEqualTo(2 * AttestSchedule.PER_SECOND);
    }

    @Test
    void noMoreAreOpenThanMayBe() {
        for (int i = 0; i < 200; i++) {
            schedule.put("cam-" + i, DAY, Optional.empty(), Duration.ZERO);
        }
        for (int i = 0; i < 10_000; i++, pass(Duration.ofMillis(50))) {
            schedule.next();
        }
        assertThat(schedule.open()).isEqualTo(AttestSchedule.MAX_OPEN);
    }

    @Test
    void oneThatIsSilentIsAskedLaterEachTime() {
        schedule.put("cam-7", Duration.ofDays(7), Optional.empty(), Duration.ZERO);
        long end = now + Duration.ofDays(7).toNanos();
        List<Long> asked = new ArrayList<>();
        for (; now < end; pass(Duration.ofSeconds(5))) {
            if (schedule.next().isPresent()) {
                asked.add(now);
                schedule.done("cam-7", false);
            }
        }
        assertThat(asked.size()).isBetween(15, 30);
        assertThat(asked.get(1) - asked.get(0)).isLessThan(Duration.ofMinutes(3).toNanos());
        long last = asked.getLast() - asked.get(asked.size() - 2);
        assertThat(last)
                .isBetween(Duration.ofHours(8).toNanos(), Duration.ofHours(13).toNanos());
    }

    @Test
    void aDeviceThatSaysSomethingNewEachSecondIsAskedOnlySoOften() {
        schedule.put("cam-7", DAY, Optional.empty(), DAY);
        int asked = 0;
        for (int second = 0; second < 86_400 / 2; second++, pass(Duration.ofSeconds(1))) {
            schedule.bring("cam-7", Why.FLIP);
            schedule.bring("cam-7", Why.RETURN);
            if (schedule.next().isPresent()) {
                asked++;
                schedule.done("cam-7", true);
            }
        }
        assertThat(asked).as("three, and one each ten minutes").isBetween(70, 76);
    }

    @Test
    void aFloodOfGoodbyesHasItsOwnRationAndTakesNoneOfTheOther() {
        schedule.put("cam-7", DAY, Optional.empty(), DAY);
        int asked = 0;
        for (int second = 0; second < 600; second++, pass(Duration.ofSeconds(1))) {
            schedule.bring("cam-7", Why.REBOOT);
            if (schedule.next().isPresent()) {
                asked++;
                schedule.done("cam-7", true);
            }
        }
        assertThat(asked).isBetween(3, 4);
    }

    /** What a device spends by what it says must not put off the proof that others wait for. */
    @Test
    void aRolloutHasItsOwnRationAndWaitsForNoneThatTheDeviceSpent() {
        schedule.put("cam-7", DAY, Optional.empty(), DAY);
        for (int second = 0; second < 60; second++, pass(Duration.ofSeconds(1))) {
            schedule.bring("cam-7", Why.FLIP);
            schedule.next().ifPresent(turn -> schedule.done("cam-7", true));
        }
        assertThat(schedule.next()).as("it waits for its ration").isEmpty();
        int asked = 0;
        for (int second = 0; second < 3600; second++, pass(Duration.ofSeconds(1))) {
            schedule.bring("cam-7", Why.ROLLOUT);
            Optional<AttestSchedule.Turn> turn = schedule.next();
            if (second == 0) {
                assertThat(turn).contains(new AttestSchedule.Turn("cam-7", Why.ROLLOUT));
            }
            if (turn.isPresent()) {
                asked++;
                schedule.done("cam-7", true);
            }
        }
        assertThat(asked).as("two, and one each five minutes").isBetween(12, 14);
    }

    @Test
    void aDeviceThatGoesDownComesBeforeAllThatAreDue() {
        for (int i = 0; i < 100; i++) {
            schedule.put("cam-" + i, DAY, Optional.empty(), Duration.ZERO);
        }
        schedule.put("leaving", DAY, Optional.empty(), DAY);
        pass(Duration.ofSeconds(25));
        schedule.bring("leaving", Why.REBOOT);
        assertThat(schedule.next()).contains(new Turn("leaving", Why.REBOOT));
    }

    @Test
    void whatIsSaidWhileAQuestionIsOpenIsAskedAfterIt() {
        schedule.put("cam-7", DAY, Optional.empty(), DAY);
        schedule.bring("cam-7", Why.FLIP);
        pass(Duration.ofSeconds(2));
        assertThat(schedule.next()).isPresent();
        schedule.bring("cam-7", Why.FLIP);
        pass(Duration.ofSeconds(2));
        assertThat(schedule.next()).as("one at a time").isEmpty();
        schedule.done("cam-7", true);
        assertThat(schedule.next()).contains(new Turn("cam-7", Why.FLIP));
    }

    @Test
    void oneThatComesBackIsAskedSoonIfItWasMissed() {
        schedule.put("cam-7", DAY, Optional.empty(), Duration.ZERO);
        assertThat(asksWithin(Duration.ofMinutes(1), Duration.ofSeconds(1), "cam-7"))
                .isTrue();
        schedule.done("cam-7", false);
        schedule.bring("cam-7", Why.RETURN);
        pass(Duration.ofSeconds(2));
        assertThat(schedule.next()).contains(new Turn("cam-7", Why.RETURN));
        schedule.done("cam-7", true);
        schedule.bring("cam-7", Why.RETURN);
        pass(Duration.ofMinutes(1));
        assertThat(schedule.next()).as("it was not missed").isEmpty();
    }

    @Test
    void aVerdictOfAClockThatWasAheadPutsNobodyOffForLongerThanItsInterval() {
        schedule.put("cam-7", DAY, Optional.empty(), Duration.ofDays(20_000));
        assertThat(asksWithin(DAY.plusMinutes(1), Duration.ofMinutes(1), "cam-7"))
                .isTrue();
    }

    @Test
    void aLookByAPersonPutsTheNextOneOffAndTheSameSaidAgainChangesNothing() {
        schedule.put("cam-7", DAY, Optional.of(Instant.EPOCH), DAY.dividedBy(2));
        for (int i = 0; i < 130; i++, pass(Duration.ofMinutes(5))) {
            schedule.put("cam-7", DAY, Optional.of(Instant.EPOCH), DAY.dividedBy(2));
        }
        schedule.put("cam-7", DAY, Optional.of(Instant.EPOCH.plusSeconds(1)), DAY);
        assertThat(asksWithin(Duration.ofHours(21), Duration.ofMinutes(1), "cam-7"))
                .isFalse();
        assertThat(asksWithin(Duration.ofHours(4), Duration.ofMinutes(1), "cam-7"))
                .isTrue();
        schedule.done("cam-7", true);
        schedule.put("cam-7", DAY, Optional.of(Instant.EPOCH.plusSeconds(2)), DAY);
        for (int i = 0; i < 280; i++, pass(Duration.ofMinutes(5))) {
            schedule.put("cam-7", DAY, Optional.of(Instant.EPOCH.plusSeconds(2)), DAY);
        }
        assertThat(asksWithin(Duration.ofHours(1), Duration.ofMinutes(1), "cam-7"))
                .isTrue();
    }

    @Test
    void forgottenDevicesAreNotAsked() {
        schedule.put("cam-7", DAY, Optional.empty(), Duration.ZERO);
        schedule.retain(Set.of());
        schedule.bring("cam-7", Why.REBOOT);
        assertThat(asksWithin(DAY, Duration.ofMinutes(1), "cam-7")).isFalse();
    }
}
