package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.storage.Disk;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A log names the older releases that answer to their pinned names beside what serves. */
class EventLogGracesTest {
    private static final ModelEvent V1_GRACE = Models.V1.as(ModelEvent.Kind.GRACE);

    @TempDir
    Path temp;

    private final MemoryRegister register = new MemoryRegister();

    private EventLog open() throws Exception {
        return EventLog.open(
                temp.resolve("log"), register, Disk.LOCAL, dev.holdfast.attestation.verify.Steps.UNWATCHED, () -> 0);
    }

    private static void serve(EventLog log, ModelEvent event) throws Exception {
        log.beforeServe(event);
        log.afterServe(event.model());
    }

    private static List<String> states(EventLog log, ModelEvent... actual) throws Exception {
        return log.confirmed(log.changes(), List.of(actual)).models().stream()
                .map(each -> each.event().version() + " " + each.event().kind() + " " + each.state())
                .toList();
    }

    @Test
    void aReleaseIsNamedFromTheBeginningOfItsGraceToItsEnd() throws Exception {
        try (EventLog log = open()) {
            serve(log, Models.V1);
            log.graced(Models.V1);
            log.graced(Models.V1);
            assertThat(log.contents()).as("said once").hasSize(2);
            serve(log, Models.V2);
            assertThat(log.serving()).containsExactly(Map.entry("intent", Models.V2));
            assertThat(log.graces()).containsExactly(V1_GRACE);
        }
        try (EventLog log = open()) {
            assertThat(log.graces()).as("after a restart of the agent").containsExactly(V1_GRACE);
            log.graceEnded(Models.V2.slot());
            assertThat(log.graces()).hasSize(1);
            log.graceEnded(Models.V1.slot());
            assertThat(log.graces()).isEmpty();
            int size = log.contents().size();
            log.graceEnded(Models.V1.slot());
            assertThat(log.contents()).hasSize(size);
            assertThat(log.serving()).containsExactly(Map.entry("intent", Models.V2));
            assertThat(log.replayed()).isEqualTo(register.read());
            assertThat(temp.resolve("log/write-ahead")).doesNotExist();
        }
    }

    @Test
    void aModelThatIsRetiredTakesItsOlderReleasesAlong() throws Exception {
        try (EventLog log = open()) {
            serve(log, Models.V2);
            serve(log, Models.EMBED);
            log.graced(Models.V1);
            log.retired("intent");
            assertThat(log.graces()).isEmpty();
            assertThat(log.serving()).containsOnlyKeys("embed");
            log.graced(Models.V1);
            log.retired("intent");
            assertThat(log.graces()).as("where nothing else names the model").isEmpty();
        }
    }

    @Test
    void beforeEvidenceItsStateIsThatOfTheProcess() throws Exception {
        try (EventLog log = open()) {
            serve(log, Models.V1);
            log.graced(Models.V1);
            assertThat(states(log, Models.V1))
                    .as("what serves answers to its pinned name, too")
                    .containsExactly("1.0.0 SERVE CONFIRMED", "1.0.0 GRACE CONFIRMED");
            serve(log, Models.V2);
            assertThat(states(log, Models.V2, V1_GRACE))
                    .containsExactly("2.0.0 SERVE CONFIRMED", "1.0.0 GRACE CONFIRMED");
            assertThat(states(log, Models.V2)).containsExactly("2.0.0 SERVE CONFIRMED", "1.0.0 GRACE ABSENT");
            log.beforeServe(Models.V1);
            assertThat(states(log)).containsExactly("1.0.0 SERVE CHANGING", "1.0.0 GRACE CHANGING");
        }
    }

    @Test
    void whatTheProcessServesBesideWhatTheLogNamesIsMeasured() throws Exception {
        try (EventLog log = open()) {
            serve(log, Models.V2);
            assertThat(states(log, Models.V2, V1_GRACE)).contains("1.0.0 GRACE CONFIRMED");
            assertThat(log.graces()).containsExactly(V1_GRACE);
        }
    }

    /** The process was asked before the grace ended and answers after it. */
    @Test
    void anAnswerFromBeforeTheEndIsNotMeasuredAfterIt() throws Exception {
        try (EventLog log = open()) {
            serve(log, Models.V2);
            log.graced(Models.V1);
            long before = log.changes();
            log.graceEnded(Models.V1.slot());
            log.confirm(before, List.of(Models.V2, V1_GRACE));
            assertThat(log.graces()).isEmpty();
        }
    }

    @Test
    void atAStartItIsMeasuredUnlessItIsNamed() throws Exception {
        try (EventLog log = open()) {
            log.ensureServing(List.of(Models.V2, V1_GRACE));
            log.ensureServing(List.of(Models.V2, V1_GRACE));
            assertThat(log.contents()).hasSize(2);
            assertThat(log.graces()).containsExactly(V1_GRACE);
            assertThat(log.interrupted()).isEmpty();
        }
    }

    @Test
    void aLogNamesABoundedNumberAndTheirPlacesAreNotThoseOfModels() throws Exception {
        try (EventLog log = open()) {
            serve(log, Models.V2);
            for (int i = 0; i < EventLog.MAX_GRACED; i++) {
                log.graced(Models.serve("intent", "9.0." + i, 1));
            }
            assertThatThrownBy(() -> log.graced(Models.V1)).isInstanceOf(EventLogFullException.class);
            serve(log, Models.EMBED);
            List<Measured> models = log.unconfirmed().models();
            assertThat(models).hasSize(EventLog.MAX_GRACED + 2).allMatch(each -> each.state() == Serving.UNKNOWN);
            List<String> places =
                    models.stream().map(each -> each.event().place()).toList();
            List<String> sorted = new ArrayList<>(places);
            sorted.sort(null);
            assertThat(places).isEqualTo(sorted);
        }
    }

    @Test
    void noReleaseIsPutIntoItsGraceByTheCallForWhatServes() throws Exception {
        try (EventLog log = open()) {
            assertThatThrownBy(() -> log.beforeServe(V1_GRACE)).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
