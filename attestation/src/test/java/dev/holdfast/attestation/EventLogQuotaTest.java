package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.LoggedEvent.Cause;
import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.ModelName;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A hostile inference process says something else at each evidence. The log keeps room for starts and installs. */
class EventLogQuotaTest {
    private static final int LIES = 5_000;

    /** Lies of one model, by their number. */
    private static final IntFunction<ModelEvent> TOKENIZERS = lie -> tokenizer(Models.V1, lie);

    private static final IntFunction<ModelEvent> BYTES =
            lie -> Models.withDigest(Models.V1, Models.hash("bytes " + lie));

    private static final IntFunction<ModelEvent> NOW_AND_THEN =
            lie -> lie % 2 == 0 ? Models.withTokenizer(Models.V1, Optional.empty()) : tokenizer(Models.V1, lie);

    @TempDir
    Path temp;

    private final MemoryRegister register = new MemoryRegister();

    private static ModelEvent tokenizer(ModelEvent event, int lie) {
        return Models.withTokenizer(event, Optional.of(Models.hash("tokenizer " + lie)));
    }

    private EventLog open(String dir) throws Exception {
        return EventLog.open(temp.resolve(dir), register);
    }

    private static void serve(EventLog log, ModelEvent event) throws Exception {
        log.beforeServe(event);
        log.afterServe(event.model());
    }

    private static EventLog.Snapshot ask(EventLog log, ModelEvent... serving) throws Exception {
        return log.confirmed(log.changes(), List.of(serving));
    }

    private static List<Serving> states(EventLog.Snapshot snapshot) {
        return snapshot.models().stream().map(EvidenceClaims.Measured::state).toList();
    }

    /** Two events, and then as many as the liar can have recorded. */
    private EventLog afterLies(String dir, IntFunction<ModelEvent> liar, int lies) throws Exception {
        EventLog log = open(dir);
        log.agentStarted("agent", "1");
        serve(log, Models.V1);
        for (int i = 1; i <= lies; i++) {
            ask(log, liar.apply(i));
        }
        return log;
    }

    /** Appends events until the log takes no more of {@code cause}, without the syncs of a log that is open. */
    private void fill(String dir, Cause until, ModelEvent... events) throws IOException {
        Path file = temp.resolve(dir).resolve("events.log");
        EventQuota quota = new EventQuota();
        ByteBuffer frames = ByteBuffer.wrap(Files.readAllBytes(file));
        frames.position(4 + frames.getInt());
        while (frames.hasRemaining()) {
            byte[] content = new byte[frames.getInt()];
            frames.get(content);
            quota.add(new LoggedEvent(Binary.copyOf(content), Cause.AGENT));
        }
        ByteArrayOutputStream more = new ByteArrayOutputStream();
        for (int i = 0;
                quota.refusal(LoggedEvent.of(events[i % events.length], until)).isEmpty();
                i++) {
            LoggedEvent event = LoggedEvent.of(events[i % events.length], Cause.AGENT);
            quota.add(event);
            more.writeBytes(
                    ByteBuffer.allocate(4).putInt(event.content().length()).array());
            more.writeBytes(event.content().toArray());
            register.extend(Event.digest(event.content()));
        }
        Files.write(file, more.toByteArray(), StandardOpenOption.APPEND);
    }

    @Test
    void aLiarLeavesRoomForInstallsAndStarts() throws Exception {
        for (Map.Entry<String, IntFunction<ModelEvent>> liar : Map.of(
                        "another tokenizer each time", TOKENIZERS,
                        "other bytes each time", BYTES,
                        "now with a tokenizer and now without", NOW_AND_THEN)
                .entrySet()) {
            register.reset();
            try (EventLog log = afterLies(liar.getKey(), liar.getValue(), LIES)) {
                assertThat(log.contents()).as(liar.getKey()).hasSize(2 + EventQuota.MAX_PROBED);
                EventLog.Snapshot told = ask(log, liar.getValue().apply(LIES + 1));
                assertThat(told.broken().orElseThrow()).contains("does not name what serves as intent");
                assertThat(states(told)).containsExactly(Serving.ABSENT);
                assertThat(log.broken()).as("the log is whole").isEmpty();
                for (int i = 0; i < EventQuota.RESERVED_EVENTS / 4; i++) {
                    log.agentStarted("agent", "2." + i);
                    serve(log, i % 2 == 0 ? Models.V2 : Models.V1);
                    serve(log, i % 2 == 0 ? Models.EMBED : Models.EMBED_2);
                }
                EventLog.Snapshot honest = ask(log, Models.V1, Models.EMBED_2);
                assertThat(honest.broken()).isEmpty();
                assertThat(states(honest)).containsExactly(Serving.CONFIRMED, Serving.CONFIRMED);
                assertThat(log.replayed()).isEqualTo(register.read());
            }
        }
    }

    @Test
    void manyModelsShareOneRation() throws Exception {
        List<ModelEvent> models = IntStream.range(0, ModelName.MAX_MODELS)
                .mapToObj(i -> Models.serve("model-" + i, "1.0.0", 1))
                .toList();
        try (EventLog log = open("log")) {
            log.ensureServing(models);
            for (int i = 0; i < 100; i++) {
                int lie = i;
                ask(log, models.stream().map(model -> tokenizer(model, lie)).toArray(ModelEvent[]::new));
            }
            assertThat(log.contents()).hasSize(ModelName.MAX_MODELS + EventQuota.MAX_PROBED);
            String told = ask(log, models.toArray(ModelEvent[]::new)).broken().orElseThrow();
            assertThat(told).contains("model-0, model-1 and 14 more").hasSizeLessThan(EvidenceClaims.MAX_TEXT_CHARS);
        }
    }

    @Test
    void theTextOfTheClaimIsBounded() throws Exception {
        open("log").close();
        fill("log", Cause.PROBE, Models.V1);
        try (EventLog log = open("log")) {
            ModelEvent[] longest = IntStream.range(0, 10)
                    .mapToObj(i -> Models.serve(i + "m".repeat(ModelName.MAX_CHARS - 1), "1.0.0", 1))
                    .toArray(ModelEvent[]::new);
            assertThat(ask(log, longest).broken().orElseThrow()).hasSizeLessThan(EvidenceClaims.MAX_TEXT_CHARS);
        }
    }

    @Test
    void anHonestProcessIsMeasuredAgainWhileTheRationLasts() throws Exception {
        try (EventLog log = afterLies("log", BYTES, EventQuota.MAX_PROBED - 1)) {
            EventLog.Snapshot back = ask(log, Models.V1);
            assertThat(back.broken()).isEmpty();
            assertThat(states(back)).containsExactly(Serving.CONFIRMED);
            assertThat(log.serving()).containsEntry("intent", Models.V1);
            assertThat(ask(log, Models.V2).broken()).as("the ration is used up").isPresent();
            assertThat(ask(log, Models.V1).broken())
                    .as("what the log names costs nothing")
                    .isEmpty();
        }
    }

    @Test
    void anHonestProcessIsToldOnceTheRationIsUsedUpAndMeasuredByItsNextInstall() throws Exception {
        try (EventLog log = afterLies("log", BYTES, LIES)) {
            assertThat(ask(log, Models.V1).broken()).isPresent();
            serve(log, Models.V2);
            assertThat(ask(log, Models.V2).broken()).isEmpty();
        }
        try (EventLog log = open("log")) {
            log.ensureServing(List.of(Models.V1));
            assertThat(ask(log, Models.V1).broken())
                    .as("so does a start of the agent")
                    .isEmpty();
        }
    }

    @Test
    void theRationIsOfTheBootAndNotOfTheAgent() throws Exception {
        afterLies("log", TOKENIZERS, EventQuota.MAX_PROBED / 2).close();
        try (EventLog log = open("log")) {
            int before = log.contents().size();
            for (int i = 1_000; i < 1_000 + LIES; i++) {
                ask(log, tokenizer(Models.V1, i));
            }
            assertThat(log.contents()).hasSize(before + EventQuota.MAX_PROBED / 2);
        }
        try (EventLog log = open("log")) {
            assertThat(ask(log, Models.V2).broken()).isPresent();
        }
        register.reset();
        try (EventLog log = open("log")) {
            assertThat(ask(log, Models.V2).broken()).as("another boot").isEmpty();
            assertThat(log.contents()).hasSize(1);
        }
    }

    /** The power goes while an event is recorded on the process's account: it is still on that account afterwards. */
    @Test
    void aCutDoesNotGiveTheRationBack() throws Exception {
        for (String last : List.of(
                "write-ahead record",
                "extend the register",
                "append the event",
                "append the event's rest",
                "sync the log",
                "clear the write-ahead record")) {
            register.reset();
            String dir = last.replaceAll("[^a-z]", "-");
            boolean[] armed = {false};
            Steps steps = step -> {
                if (armed[0] && step.equals(last)) {
                    throw new Cut();
                }
            };
            try (EventLog log = EventLog.open(temp.resolve(dir), register, Disk.LOCAL, steps, System::nanoTime)) {
                serve(log, Models.V1);
                armed[0] = true;
                assertThatThrownBy(() -> ask(log, tokenizer(Models.V1, 0))).isInstanceOf(Cut.class);
            }
            try (EventLog log = open(dir)) {
                for (int i = 1; i < 2 * EventQuota.MAX_PROBED; i++) {
                    ask(log, tokenizer(Models.V1, i));
                }
                assertThat(log.contents()).as(last).hasSize(1 + EventQuota.MAX_PROBED);
                assertThat(log.replayed()).isEqualTo(register.read());
            }
        }
    }

    private static final class Cut extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** Bytes have one tokenizer. Who says another of the same bytes is not believed in that evidence. */
    @Test
    void anotherTokenizerOfTheSameReleaseIsRecordedAndTold() throws Exception {
        try (EventLog log = open("log")) {
            serve(log, Models.withTokenizer(Models.V1, Optional.empty()));
            serve(log, Models.EMBED);
            assertThat(states(ask(log, Models.V1, Models.EMBED)))
                    .as("the first that is said")
                    .containsOnly(Serving.CONFIRMED);
            ModelEvent other = tokenizer(Models.V1, 1);
            EventLog.Snapshot told = ask(log, other, Models.EMBED);
            assertThat(states(told)).containsExactly(Serving.UNKNOWN, Serving.UNKNOWN);
            assertThat(told.broken()).isEmpty();
            assertThat(log.serving()).containsEntry("intent", other);
            assertThat(states(ask(log, other, Models.EMBED))).containsOnly(Serving.CONFIRMED);
            assertThat(states(ask(log, Models.V1, Models.EMBED))).containsOnly(Serving.UNKNOWN);
        }
    }

    /** Its tokenizer is the process's word in an install, too, which the process can make fail as often as it likes. */
    @Test
    void theTokenizersOfInstallsAndStartsAreOnTheProcesssAccount() throws Exception {
        try (EventLog log = open("log")) {
            serve(log, Models.V1);
            for (int i = 0; i < 500; i++) {
                log.beforeServe(tokenizer(Models.V1, i));
                log.ensureServing(List.of(tokenizer(Models.V1, -i)));
            }
            log.afterServe("intent");
            assertThat(log.contents()).hasSize(1 + EventQuota.MAX_PROBED);
            assertThat(ask(log, Models.V1).broken()).isPresent();
            assertThat(log.interrupted()).isEmpty();
        }
    }

    @Test
    void noAnswerReachesTheReservedPlaces() throws Exception {
        try (EventLog log = open("log")) {
            log.agentStarted("agent", "1");
        }
        fill("log", Cause.PROBE, Models.V2, Models.V1);
        try (EventLog log = open("log")) {
            assertThat(log.contents()).hasSize(EventLog.MAX_EVENTS - EventQuota.RESERVED_EVENTS);
            assertThat(ask(log, Models.EMBED).broken().orElseThrow()).contains("as embed", "full");
            serve(log, Models.EMBED);
            assertThat(states(ask(log, Models.EMBED, Models.V2))).containsOnly(Serving.CONFIRMED);
        }
    }

    @Test
    void anAgentStartsWithAFullLogAndSaysSo() throws Exception {
        try (EventLog log = open("log")) {
            log.agentStarted("agent", "1");
        }
        fill("log", Cause.AGENT, Models.V2, Models.V1);
        try (EventLog log = open("log")) {
            assertThat(log.contents()).hasSize(EventLog.MAX_EVENTS);
            log.agentStarted("agent", "1");
            assertThat(log.broken()).as("this start is in the log").isEmpty();
            log.ensureServing(List.of(Models.V2));
            assertThat(states(ask(log, Models.V2))).containsExactly(Serving.CONFIRMED);
            log.agentStarted("agent", "2");
            assertThat(log.broken().orElseThrow()).contains("does not name this agent", "full");
            assertThatThrownBy(() -> log.beforeServe(Models.V1)).isInstanceOf(EventLogFullException.class);
            assertThatThrownBy(() -> log.retired("intent")).isInstanceOf(EventLogFullException.class);
            assertThat(log.serving()).containsEntry("intent", Models.V2);
            assertThat(log.replayed()).isEqualTo(register.read());
        }
        try (EventLog log = open("log")) {
            log.agentStarted("agent", "2");
            assertThat(log.broken()).as("after a restart, too").isPresent();
        }
        register.reset();
        try (EventLog log = open("log")) {
            log.agentStarted("agent", "2");
            assertThat(log.broken()).as("another boot").isEmpty();
        }
    }

    @Test
    void theBytesAreBoundedToo() throws Exception {
        ModelEvent largest = Models.largest("intent");
        try (EventLog log = open("log")) {
            log.agentStarted("agent", "1");
        }
        fill("log", Cause.PROBE, largest);
        try (EventLog log = open("log")) {
            assertThat(log.contents()).hasSizeLessThan(EventLog.MAX_EVENTS / 2);
            assertThat(ask(log, Models.largest("embed")).broken()).isPresent();
            serve(log, Models.largest("embed"));
        }
        fill("log", Cause.AGENT, largest);
        try (EventLog log = open("log")) {
            assertThat(log.broken()).isEmpty();
            assertThatThrownBy(() -> log.beforeServe(Models.largest("ner"))).isInstanceOf(EventLogFullException.class);
            assertThat(Files.size(temp.resolve("log/events.log")))
                    .isBetween(EventQuota.MAX_BYTES - 2_000L, EventQuota.MAX_BYTES + 64L);
        }
    }
}
