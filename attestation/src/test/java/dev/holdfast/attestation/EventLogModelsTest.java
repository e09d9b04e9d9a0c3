package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.Disk;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Installs of several models interleave in one log. */
class EventLogModelsTest {
    @TempDir
    Path temp;

    private final MemoryRegister register = new MemoryRegister();
    private long nanos;

    private EventLog open() throws Exception {
        return open(temp.resolve("log"), Steps.UNWATCHED);
    }

    private EventLog open(Path dir, Steps steps) throws Exception {
        return EventLog.open(dir, register, Disk.LOCAL, steps, () -> nanos);
    }

    private static void serve(EventLog log, ModelEvent event) throws Exception {
        log.beforeServe(event);
        log.afterServe(event.model());
    }

    /** Two models in service, in a fresh log of which nothing is under way. */
    private EventLog servingTwo() throws Exception {
        EventLog log = open();
        log.agentStarted("agent", "1");
        serve(log, Models.V1);
        serve(log, Models.EMBED);
        return log;
    }

    private Path writeAhead() {
        return temp.resolve("log/write-ahead");
    }

    @Test
    void theLastEventOfEachModelSaysWhatServes() throws Exception {
        try (EventLog log = servingTwo()) {
            serve(log, Models.V2);
            assertThat(log.serving()).containsExactly(Map.entry("embed", Models.EMBED), Map.entry("intent", Models.V2));
        }
        try (EventLog log = open()) {
            assertThat(log.serving()).containsExactly(Map.entry("embed", Models.EMBED), Map.entry("intent", Models.V2));
            assertThat(log.replayed()).isEqualTo(register.read());
        }
    }

    @Test
    void swapsOfTwoModelsInterleave() throws Exception {
        try (EventLog log = servingTwo()) {
            log.beforeServe(Models.V2);
            assertThat(log.interrupted()).containsOnlyKeys("intent");
            log.beforeServe(Models.EMBED_2);
            assertThat(log.interrupted()).containsOnlyKeys("embed", "intent");
            log.afterServe("intent");
            assertThat(log.interrupted()).containsOnlyKeys("embed");
            assertThat(writeAhead()).exists();
            log.afterServe("embed");
            assertThat(log.interrupted()).isEmpty();
            assertThat(writeAhead()).doesNotExist();
            assertThat(log.serving().values()).containsExactly(Models.EMBED_2, Models.V2);
        }
    }

    /** The process ends after each of the calls; the next one knows whose flips may not have happened. */
    @Test
    void aCrashBetweenAnyTwoCallsInterruptsThoseThatAreUnderWay() throws Exception {
        List<List<String>> interrupted = new ArrayList<>();
        for (int calls = 0; calls <= 4; calls++) {
            try (EventLog log = servingTwo()) {
                List<Call> all = List.of(
                        () -> log.beforeServe(Models.V2),
                        () -> log.beforeServe(Models.EMBED_2),
                        () -> log.afterServe("intent"),
                        () -> log.afterServe("embed"));
                for (Call call : all.subList(0, calls)) {
                    call.run();
                }
            }
            try (EventLog log = open()) {
                interrupted.add(List.copyOf(log.interrupted().keySet()));
                log.ensureServing(List.of(Models.V1, Models.EMBED));
                assertThat(log.interrupted()).isEmpty();
                assertThat(log.serving().values()).containsExactly(Models.EMBED, Models.V1);
                assertThat(log.replayed()).isEqualTo(register.read());
                assertThat(log.broken()).isEmpty();
            }
            assertThat(writeAhead()).doesNotExist();
        }
        assertThat(interrupted)
                .containsExactly(
                        List.of(),
                        List.of("intent"),
                        List.of("embed", "intent"),
                        // What came after the write-ahead record is not in it; to settle it costs nothing.
                        List.of("embed", "intent"),
                        List.of());
    }

    private interface Call {
        void run() throws Exception;
    }

    /** The power goes in one model's swap; the other's, which was measured before, is still known to be interrupted. */
    @Test
    void aCutInOneSwapLeavesTheOtherInterrupted() throws Exception {
        for (String last : List.of(
                "write-ahead record",
                "extend the register",
                "append the event",
                "append the event's rest",
                "sync the log")) {
            Path dir = temp.resolve(last.replaceAll("[^a-z]", "-"));
            register.reset();
            boolean[] armed = {false};
            try (EventLog log = open(dir, step -> {
                if (armed[0] && step.equals(last)) {
                    throw new Cut();
                }
            })) {
                log.ensureServing(List.of(Models.V1, Models.EMBED));
                log.beforeServe(Models.V2);
                armed[0] = true;
                assertThatThrownBy(() -> log.beforeServe(Models.EMBED_2)).isInstanceOf(Cut.class);
            }
            try (EventLog log = open(dir, Steps.UNWATCHED)) {
                assertThat(log.broken()).as(last).isEmpty();
                assertThat(log.replayed()).isEqualTo(register.read());
                assertThat(log.interrupted()).as(last).containsEntry("intent", Models.V2);
                boolean extended = !last.equals("write-ahead record") && !last.equals("extend the register");
                assertThat(log.serving()).containsEntry("embed", extended ? Models.EMBED_2 : Models.EMBED);
                assertThat(log.interrupted().containsKey("embed")).as(last).isEqualTo(extended);
            }
        }
    }

    private static final class Cut extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    @Test
    void aStepOfOneModelThatFailedLeavesTheSwapOfTheOther() throws Exception {
        boolean[] fails = {false};
        try (EventLog log = open(temp.resolve("log"), step -> {
            if (fails[0] && step.equals("append the event")) {
                throw new Cut();
            }
        })) {
            log.ensureServing(List.of(Models.V1, Models.EMBED));
            log.beforeServe(Models.V2);
            fails[0] = true;
            assertThatThrownBy(() -> log.beforeServe(Models.EMBED_2)).isInstanceOf(Cut.class);
            fails[0] = false;
            log.ensureServing(List.of(Models.EMBED));
            assertThat(log.interrupted()).containsOnlyKeys("intent");
            assertThat(log.confirm(log.changes(), List.of(Models.V1, Models.EMBED)))
                    .containsExactly(Map.entry("embed", Serving.CONFIRMED), Map.entry("intent", Serving.CHANGING));
            log.afterServe("intent");
            assertThat(log.serving().values()).containsExactly(Models.EMBED, Models.V2);
            assertThat(log.replayed()).isEqualTo(register.read());
            assertThat(writeAhead()).doesNotExist();
        }
    }

    @Test
    void aRetiredModelIsNamedNoMore() throws Exception {
        try (EventLog log = servingTwo()) {
            int before = log.contents().size();
            log.retired("embed");
            assertThat(log.serving()).containsOnlyKeys("intent");
            assertThat(Models.accepted(Event.parse(log.contents().get(before))))
                    .isEqualTo(new Event.Model(Models.EMBED.as(ModelEvent.Kind.RETIRE)));
            log.retired("embed");
            log.retired("never heard of");
            assertThat(log.contents()).hasSize(before + 1);
        }
        try (EventLog log = open()) {
            assertThat(log.serving()).containsOnlyKeys("intent");
            assertThat(log.interrupted()).isEmpty();
            serve(log, Models.EMBED);
            assertThat(log.serving()).containsEntry("embed", Models.EMBED);
        }
    }

    @Test
    void aModelThatIsRetiredWhileItSwapsIsInterruptedNoMore() throws Exception {
        try (EventLog log = servingTwo()) {
            log.beforeServe(Models.V2);
            log.beforeServe(Models.EMBED_2);
            log.retired("embed");
            assertThat(log.interrupted()).containsOnlyKeys("intent");
        }
        try (EventLog log = open()) {
            assertThat(log.interrupted()).containsOnlyKeys("intent");
            assertThat(log.serving()).containsOnlyKeys("intent");
        }
    }

    @Test
    void noEventServesAModelByRetiringIt() throws Exception {
        try (EventLog log = open()) {
            assertThatThrownBy(() -> log.beforeServe(Models.V1.as(ModelEvent.Kind.RETIRE)))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThat(log.contents()).isEmpty();
        }
    }

    @Test
    void anAgentIsMeasuredOnceForEachBootAndVersion() throws Exception {
        servingTwo().close();
        for (int start = 0; start < 5; start++) {
            try (EventLog log = open()) {
                log.agentStarted("agent", "1");
                assertThat(log.contents()).hasSize(3);
            }
        }
        try (EventLog log = open()) {
            log.agentStarted("agent", "2");
            log.agentStarted("agent", "2");
            assertThat(log.contents()).hasSize(4);
            log.agentStarted("agent", "1");
            assertThat(log.contents()).as("an older agent came back").hasSize(5);
        }
        register.reset();
        try (EventLog log = open()) {
            log.agentStarted("agent", "1");
            assertThat(log.contents()).as("another boot").hasSize(1);
        }
    }

    @Test
    void confirmTellsOfEachModelWhatIsKnownOfIt() throws Exception {
        try (EventLog log = servingTwo()) {
            ModelEvent other = Models.serve("other", "1.0.0", 1);
            serve(log, other);
            log.beforeServe(Models.V2);
            int events = log.contents().size();
            assertThat(log.confirm(log.changes(), List.of(Models.V1, Models.EMBED)))
                    .containsExactly(
                            Map.entry("embed", Serving.CONFIRMED),
                            Map.entry("intent", Serving.CHANGING),
                            Map.entry("other", Serving.ABSENT));
            assertThat(log.contents()).as("nothing is retired by silence").hasSize(events);
            assertThat(log.serving()).containsKey("other");
        }
    }

    @Test
    void whatServesUnsaidIsMeasured() throws Exception {
        try (EventLog log = servingTwo()) {
            ModelEvent other = Models.serve("other", "1.0.0", 1);
            assertThat(log.confirm(log.changes(), List.of(Models.V2, Models.EMBED, other))
                            .values())
                    .containsOnly(Serving.CONFIRMED)
                    .hasSize(3);
            assertThat(log.serving().values()).containsExactly(Models.EMBED, Models.V2, other);
        }
    }

    @Test
    void theSameBytesInAnotherSlotAreMeasured() throws Exception {
        try (EventLog log = servingTwo()) {
            int events = log.contents().size();
            ModelEvent mended = Models.again(Models.V1, "1.0.1", 2, 1, "mended template", "gate");
            log.confirm(log.changes(), List.of(mended, Models.EMBED));
            assertThat(log.serving()).containsEntry("intent", mended);
            assertThat(log.contents()).hasSize(events + 1);
        }
    }

    @Test
    void anAnswerFromBeforeAChangeIsOldForThatModelAlone() throws Exception {
        try (EventLog log = servingTwo()) {
            long before = log.changes();
            serve(log, Models.V2);
            assertThat(log.confirm(before, List.of(Models.V1, Models.EMBED_2)))
                    .containsExactly(Map.entry("embed", Serving.CONFIRMED), Map.entry("intent", Serving.CHANGING));
            assertThat(log.serving().values()).containsExactly(Models.EMBED_2, Models.V2);
        }
    }

    @Test
    void aModelThatWasRetiredSinceIsNotMeasuredAgain() throws Exception {
        try (EventLog log = servingTwo()) {
            long before = log.changes();
            log.retired("embed");
            assertThat(log.confirm(before, List.of(Models.V1, Models.EMBED)))
                    .containsExactly(Map.entry("intent", Serving.CONFIRMED));
            assertThat(log.serving()).containsOnlyKeys("intent");
        }
    }

    @Test
    void aSwapThatWasNeverClearedHoldsUpItsModelForSoLongOnly() throws Exception {
        try (EventLog log = servingTwo()) {
            log.beforeServe(Models.V2);
            nanos += Swaps.LIMIT.toNanos() - 1;
            assertThat(log.confirm(log.changes(), List.of(Models.V1, Models.EMBED)))
                    .containsEntry("intent", Serving.CHANGING)
                    .containsEntry("embed", Serving.CONFIRMED);
            nanos++;
            assertThat(log.confirm(log.changes(), List.of(Models.V1, Models.EMBED))
                            .values())
                    .containsOnly(Serving.CONFIRMED);
            assertThat(log.serving()).containsEntry("intent", Models.V1);
            assertThat(log.interrupted()).isEmpty();
            assertThat(writeAhead()).doesNotExist();
        }
    }

    @Test
    void ensureServingLeavesTheSwapsOfOtherModels() throws Exception {
        try (EventLog log = servingTwo()) {
            log.beforeServe(Models.V2);
            log.ensureServing(List.of(Models.EMBED));
            assertThat(log.interrupted()).containsOnlyKeys("intent");
            assertThat(writeAhead()).exists();
        }
    }

    /** The first install of a model was cut off before its flip, and it does not serve now. */
    @Test
    void whatACrashInterruptedIsSettledAlthoughItDoesNotServe() throws Exception {
        try (EventLog log = open()) {
            log.beforeServe(Models.EMBED);
        }
        try (EventLog log = open()) {
            assertThat(log.interrupted()).containsOnlyKeys("embed");
            log.ensureServing(List.of(Models.V1));
            assertThat(log.interrupted()).isEmpty();
            assertThat(writeAhead()).doesNotExist();
            assertThat(log.confirm(log.changes(), List.of(Models.V1)))
                    .containsExactly(Map.entry("embed", Serving.ABSENT), Map.entry("intent", Serving.CONFIRMED));
        }
    }

    /** A taken inference process claims ever other models. */
    @Test
    void theModelsThatTheLogNamesAreBounded() throws Exception {
        try (EventLog log = open()) {
            List<ModelEvent> first = IntStream.range(0, EventLog.MAX_NAMED)
                    .mapToObj(i -> Models.serve("model-" + i, "1.0.0", 1))
                    .toList();
            log.confirm(log.changes(), first);
            int events = log.contents().size();
            EventLog.Snapshot told = log.confirmed(log.changes(), List.of(Models.V1));
            assertThat(told.broken().orElseThrow())
                    .contains("does not name what serves as intent", EventLog.MAX_NAMED + " models");
            assertThat(told.models()).hasSize(EventLog.MAX_NAMED).allMatch(each -> each.state() == Serving.ABSENT);
            assertThatThrownBy(() -> log.beforeServe(Models.V1)).isInstanceOf(EventLogFullException.class);
            assertThat(log.contents()).hasSize(events);
            assertThat(log.serving()).hasSize(EventLog.MAX_NAMED);
            log.retired("model-0");
            serve(log, Models.V1);
            assertThat(log.serving()).containsEntry("intent", Models.V1);
        }
    }

    @Test
    void everyModelIsMeasuredAgainAfterAReset() throws Exception {
        try (EventLog log = servingTwo()) {
            log.beforeServe(Models.V2);
            register.reset();
            assertThat(log.confirm(log.changes(), List.of(Models.EMBED)))
                    .containsExactly(Map.entry("embed", Serving.CONFIRMED));
            assertThat(log.serving()).containsOnlyKeys("embed");
            assertThat(log.interrupted()).isEmpty();
            assertThat(log.replayed()).isEqualTo(register.read());
        }
    }
}
