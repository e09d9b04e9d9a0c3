package dev.holdfast.fleet.rollout;

import static dev.holdfast.fleet.rollout.ExecutionState.ATTESTED;
import static dev.holdfast.fleet.rollout.ExecutionState.CONFIRMED;
import static dev.holdfast.fleet.rollout.ExecutionState.FAILED;
import static dev.holdfast.fleet.rollout.ExecutionState.NOTIFIED;
import static dev.holdfast.fleet.rollout.ExecutionState.REJECTED;
import static dev.holdfast.fleet.rollout.ExecutionState.REMOVED;
import static dev.holdfast.fleet.rollout.ExecutionState.TIMED_OUT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.fleet.FleetAudit;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.rollout.SimulatedFleet.Kind;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a thousand devices do, and what becomes of the rollout. */
class RolloutEngineTest {
    private static final Duration MINUTE = Duration.ofMinutes(1);
    private static final String RINGS =
            "{'name':'canary','percent':2},{'name':'early','percent':20},{'name':'all','percent':100}";

    @TempDir
    Path folder;

    private final SimulatedFleet fleet = new SimulatedFleet(1000);
    private RolloutStore store;
    private RolloutEngine engine;
    private Rollouts rollouts;

    @BeforeEach
    void open() throws Exception {
        store = RolloutStore.open(folder);
        engine = new RolloutEngine(store, fleet, fleet);
        rollouts = new Rollouts(store, fleet, new FleetAudit(new FleetDirectory(folder), fleet), fleet);
    }

    @AfterEach
    void close() throws Exception {
        store.close();
    }

    private static RolloutPlan plan(String rings, String more) throws RejectedException {
        return RolloutPlan.read(("{'format':1,'model':'intent','version':'2.0.0','rings':[" + rings + "]" + more + "}")
                .replace('\'', '"')
                .getBytes(StandardCharsets.UTF_8));
    }

    private void begin(String rings, String more) throws Exception {
        rollouts.create("spring", plan(rings, more));
        rollouts.start("spring");
        engine.step();
    }

    /** Steps in which devices work, and then show evidence. */
    private void rounds(int count) throws Exception {
        for (int i = 0; i < count; i++) {
            fleet.pass(MINUTE);
            engine.step();
            fleet.attest();
            engine.step();
        }
    }

    private RolloutRecord spring() throws Exception {
        return store.get("spring");
    }

    private RingCounts all() throws Exception {
        return store.counts("spring").values().stream().reduce(RingCounts.NONE, RingCounts::plus);
    }

    private Execution of(String device) throws Exception {
        return store.executions("spring").stream()
                .filter(one -> one.device().equals(device))
                .findFirst()
                .orElseThrow();
    }

    /** A device that belongs to a ring. */
    private String oneOf(int ring) throws Exception {
        for (String device : fleet.devices()) {
            if (spring().plan().ringOf("spring", device, Map.of()) == ring) {
                return device;
            }
        }
        throw new AssertionError("nobody in ring " + ring);
    }

    @Test
    void ringsOpenOneAfterTheOtherAsDevicesProveWhatTheySay() throws Exception {
        begin(RINGS, "");
        rounds(1);
        assertThat(store.counts("spring")).containsOnlyKeys(0);
        rounds(1);
        assertThat(spring().ring()).isEqualTo(1);
        rounds(6);
        assertThat(spring().state()).isEqualTo(RolloutState.COMPLETED);
        assertThat(all().of(ATTESTED)).isEqualTo(1000);
        assertThat(fleet.orders).as("one order for each device").isEqualTo(1000);
        assertThat(store.events("spring", 100))
                .extracting(RolloutStore.Event::kind)
                .contains("ring", "gate", "completed");
    }

    /** Its report comes after the order, and says what it refused before; or that there was no order when it looked. */
    @Test
    void whatADeviceRefusedBeforeItsOrderIsNoWordOnIt() throws Exception {
        for (String each : fleet.devices()) {
            fleet.device(each).kind = Kind.IDLE;
        }
        SimulatedFleet.Device device = fleet.device("sim-0");
        device.refused = Optional.of(new Fleet.Refusal("UPD-EPOCH", "epoch 1, the floor is 2", "earlier"));
        SimulatedFleet.Device old = fleet.device("sim-1");
        old.refused = Optional.of(new Fleet.Refusal("UPD-EPOCH", "epoch 1, the floor is 2", ""));
        fleet.pass(MINUTE);
        begin("{'name':'all','percent':100}", ",'gate':{'failedPercent':100}");
        // The first step orders, the others look at what is said of it.
        for (int i = 0; i < 3; i++) {
            fleet.pass(MINUTE);
            engine.step();
            assertThat(of("sim-0").state()).isEqualTo(NOTIFIED);
            assertThat(of("sim-1").state()).isEqualTo(NOTIFIED);
        }

        device.refused = Optional.of(new Fleet.Refusal("UPD-NO-ORDER", "the Director has no order", "now"));
        old.refused = Optional.of(new Fleet.Refusal("UPD-EPOCH", "epoch 1, the floor is 3", ""));
        fleet.pass(MINUTE);
        engine.step();
        assertThat(of("sim-0").state()).isEqualTo(NOTIFIED);
        assertThat(of("sim-0").code()).contains("UPD-NO-ORDER");
        assertThat(of("sim-1").state()).isEqualTo(REJECTED);

        device.refused = Optional.of(new Fleet.Refusal("UPD-EPOCH", "epoch 1, the floor is 2", "later"));
        fleet.pass(MINUTE);
        engine.step();
        assertThat(of("sim-0").state()).isEqualTo(REJECTED);
        assertThat(of("sim-0").code()).contains("UPD-EPOCH");
    }

    /** 3 % fail their health gate: the gate takes 5 %, so the rings go on. */
    @Test
    void aFewThatFailAreCountedAndTheRingsGoOn() throws Exception {
        int index = 0;
        for (String device : fleet.devices()) {
            if (index++ % 33 == 0) {
                fleet.device(device).kind = Kind.FAILS;
            }
        }
        begin(RINGS, ",'gate':{'failedPercent':10}");
        rounds(10);
        assertThat(spring().state()).isEqualTo(RolloutState.COMPLETED);
        assertThat(all().of(FAILED)).isEqualTo(31);
        assertThat(all().of(ATTESTED)).isEqualTo(969);
    }

    /** It says that it serves the release; its evidence proves the one before. No further device gets the release. */
    @Test
    void oneThatLiesHoldsTheGate() throws Exception {
        rollouts.create("spring", plan(RINGS, ""));
        String liar = oneOf(0);
        fleet.device(liar).kind = Kind.LIES;
        rollouts.start("spring");
        rounds(10);
        assertThat(spring().ring()).isZero();
        assertThat(of(liar).state()).isEqualTo(CONFIRMED);
        assertThat(of(liar).code()).contains(Code.FLT_PROOF.id());
        assertThat(of(liar).detail()).contains("proves 1.0.0");
        assertThat(spring().why()).contains("are proved by evidence", "the gate asks for 100 %");
        int ordered = fleet.orders;
        // Its time to prove it ends: it has failed, and a person decides.
        fleet.pass(Duration.ofHours(3));
        rounds(1);
        assertThat(of(liar).state()).isEqualTo(TIMED_OUT);
        assertThat(spring().state()).isEqualTo(RolloutState.PAUSED);
        assertThat(spring().pausedBy()).contains(RolloutRecord.Pause.GATE);
        assertThat(spring().why()).contains("1 of").contains("failed");
        rounds(3);
        assertThat(fleet.orders).isEqualTo(ordered);
        rollouts.resume("spring", true);
        rounds(1);
        assertThat(spring().ring()).isEqualTo(1);
    }

    @Test
    void evidenceFromBeforeADeviceSaidThatItServesProvesNothing() throws Exception {
        begin("{'name':'all','percent':100}", "");
        fleet.attest();
        fleet.devices
                .values()
                .forEach(device -> device.proof = device.proof.map(old -> new Fleet.Proof(
                        old.asked(), true, Optional.empty(), Optional.of(SimulatedFleet.sha("2.0.0")), "2.0.0")));
        engine.step();
        fleet.pass(MINUTE);
        engine.step();
        engine.step();
        assertThat(all().of(CONFIRMED)).isEqualTo(500);
        assertThat(all().of(ATTESTED)).isZero();
    }

    /** The device's own flip may have had it asked a moment too soon. */
    @Test
    void evidenceOfWhoSaysThatItServesIsAskedForUntilItCame() throws Exception {
        begin("{'name':'few','devices':['sim-1','sim-2']}", "");
        engine.step();
        assertThat(fleet.asked).as("nobody says anything yet").isEmpty();
        fleet.pass(MINUTE);
        engine.step();
        assertThat(fleet.asked).containsExactly("sim-1", "sim-2");
        fleet.asked.clear();
        engine.step();
        assertThat(fleet.asked).containsExactly("sim-1", "sim-2");
        fleet.attest();
        fleet.asked.clear();
        engine.step();
        assertThat(fleet.asked).isEmpty();
    }

    @Test
    void whereNoProofIsWantedNobodyIsAsked() throws Exception {
        begin("{'name':'few','devices':['sim-1','sim-2']}", ",'gate':{'attestedPercent':0}");
        engine.step();
        fleet.pass(MINUTE);
        engine.step();
        assertThat(spring().state()).isEqualTo(RolloutState.COMPLETED);
        assertThat(fleet.asked).isEmpty();
    }

    @Test
    void tooManyFailuresEndItAndDevicesGoBack() throws Exception {
        fleet.devices.values().forEach(device -> device.kind = Kind.ROLLS_BACK);
        begin(RINGS, ",'abort':{'failedPercent':20,'atLeast':5,'counterOrder':true}");
        rounds(2);
        assertThat(spring().state()).isEqualTo(RolloutState.ABORTED);
        assertThat(spring().why()).contains("(100 %) of the devices that have ended failed");
        rounds(2);
        assertThat(spring().goesBack()).isFalse();
        assertThat(fleet.devices.values()).allMatch(device -> device.desired.equals(Optional.of("1.0.0")));
        assertThat(store.counts("spring")).containsOnlyKeys(0);
    }

    /** A threshold counts in every state: the rollout was paused by a person, and ends all the same. */
    @Test
    void aPausedRolloutIsStillEndedByFailures() throws Exception {
        fleet.devices.values().forEach(device -> device.kind = Kind.FAILS);
        begin(RINGS, "");
        engine.step();
        rollouts.pause("spring");
        rounds(1);
        assertThat(spring().state()).isEqualTo(RolloutState.ABORTED);
    }

    @Test
    void silenceIsAFailure() throws Exception {
        fleet.devices.values().forEach(device -> device.kind = Kind.SILENT);
        begin(RINGS, ",'deadlines':{'notifiedSeconds':3600},'abort':{'failedPercent':100}");
        rounds(2);
        assertThat(spring().why()).contains("0 of").contains("have ended");
        fleet.pass(Duration.ofHours(2));
        rounds(1);
        assertThat(all().of(TIMED_OUT)).isEqualTo(all().total()).isPositive();
        assertThat(spring().state()).isEqualTo(RolloutState.PAUSED);
    }

    @Test
    void aRingOfNobodyShowsNothingAndTheNextStaysClosed() throws Exception {
        begin(
                "{'name':'canary','devices':['sim-1']},{'name':'lab','labels':{'site':'lab'}},{'name':'all','percent':100}",
                "");
        rounds(4);
        assertThat(spring().ring()).isEqualTo(1);
        assertThat(spring().why()).contains("no enrolled device belongs to it");
        assertThat(spring().pausedBy()).contains(RolloutRecord.Pause.GATE);
        assertThat(all().total()).isEqualTo(1);
    }

    @Test
    void aRolloutWhoseFirstRingWouldBeEmptyDoesNotStart() throws Exception {
        rollouts.create("spring", plan("{'name':'lab','labels':{'site':'lab'}}", ""));
        assertThatThrownBy(() -> rollouts.start("spring"))
                .isInstanceOf(RejectedException.class)
                .hasMessageContaining("no enrolled device belongs to ring lab");
        rollouts.label("sim-7", "site", Optional.of("lab"));
        rollouts.start("spring");
        rounds(3);
        assertThat(spring().state()).isEqualTo(RolloutState.COMPLETED);
        assertThat(store.executions("spring")).extracting(Execution::device).containsExactly("sim-7");
    }

    @Test
    void whoComesLaterFallsIntoItsRing() throws Exception {
        begin(RINGS, ",'gate':{'soakSeconds':100000}");
        rounds(2);
        long before = all().total();
        for (int i = 1000; i < 1500; i++) {
            fleet.devices.put("sim-" + i, new SimulatedFleet.Device());
        }
        rounds(2);
        assertThat(all().total()).isGreaterThan(before).isLessThan(before + 100);
        assertThat(store.counts("spring")).containsOnlyKeys(0);
    }

    @Test
    void aFailureThatThePlanRetriesCountsOnce() throws Exception {
        fleet.devices.values().forEach(device -> device.kind = Kind.FAILS_ONCE);
        begin(
                "{'name':'few','devices':['sim-1','sim-2']}",
                ",'retry':{'times':1,'pauseSeconds':600,'codes':['INS-DISK']}");
        rounds(2);
        assertThat(of("sim-1").state()).isEqualTo(ExecutionState.QUEUED);
        assertThat(of("sim-1").detail()).contains("tried again at");
        fleet.pass(Duration.ofMinutes(11));
        rounds(2);
        assertThat(spring().state()).isEqualTo(RolloutState.COMPLETED);
        assertThat(all().total()).isEqualTo(2);
        assertThat(of("sim-1").attempts()).isEqualTo(2);
    }

    @Test
    void paceGrowsByWhatWasConfirmed() throws Exception {
        begin("{'name':'all','percent':100}", ",'pace':{'perMinute':10,'factor':2,'confirmed':10}");
        engine.step();
        assertThat(fleet.orders).isEqualTo(10);
        engine.step();
        assertThat(fleet.orders).as("the minute is not over").isEqualTo(10);
        rounds(1);
        assertThat(fleet.orders).as("ten have confirmed").isBetween(20, 30);
    }

    @Test
    void whomSomebodyElseOrdersLeavesTheRollout() throws Exception {
        begin("{'name':'few','devices':['sim-1','sim-2']}", "");
        engine.step();
        fleet.order("sim-1", "intent", "3.0.0", Optional.empty());
        rounds(3);
        assertThat(of("sim-1").state()).isEqualTo(REMOVED);
        assertThat(of("sim-1").detail()).contains("3.0.0");
        assertThat(spring().state()).isEqualTo(RolloutState.COMPLETED);
    }

    @Test
    void whoseOrdersAreHeldWaitsAndDoesNotFail() throws Exception {
        fleet.held.add("sim-1");
        begin("{'name':'few','devices':['sim-1','sim-2']}", "");
        rounds(3);
        assertThat(of("sim-1").state()).isEqualTo(ExecutionState.QUEUED);
        assertThat(of("sim-1").code()).contains(Code.FLT_HELD.id());
        fleet.held.clear();
        rounds(4);
        assertThat(spring().state()).isEqualTo(RolloutState.COMPLETED);
    }

    @Test
    void aDeviceHasNoMoreLabelsThanItMay() throws Exception {
        for (int i = 0; i < Selector.MAX_LABELS; i++) {
            rollouts.label("sim-7", "label-" + i, Optional.of("x"));
        }
        assertThatThrownBy(() -> rollouts.label("sim-7", "one-more", Optional.of("x")))
                .isInstanceOf(RejectedException.class);
        assertThat(store.labels().of("sim-7")).hasSize(Selector.MAX_LABELS).doesNotContainKey("one-more");
        assertThatThrownBy(() -> rollouts.label("nobody", "site", Optional.of("x")))
                .hasMessageContaining(Code.ATT_NOT_ENROLLED.id());
        assertThatThrownBy(() -> rollouts.label("sim-7", "a b", Optional.of("x")))
                .hasMessageContaining(Code.CFG_INVALID.id());
    }

    @Test
    void aForgottenDevicesLabelsGoWithIt() throws Exception {
        rollouts.label("sim-7", "site", Optional.of("lab"));
        store.labels().forget("sim-7");
        assertThat(store.labels().of("sim-7")).isEmpty();
    }

    /** It is known before the order is given what was desired before it, so a crash in between loses nothing. */
    @Test
    void whatWasDesiredBeforeIsOnRecordBeforeTheOrder() throws Exception {
        rollouts.create("spring", plan("{'name':'few','devices':['sim-1']}", ""));
        rollouts.start("spring");
        Fleet dies = new DyingFleet(fleet);
        engine.step();
        assertThatThrownBy(() -> new RolloutEngine(store, dies, fleet).step()).isInstanceOf(IOException.class);
        close();
        open();
        fleet.pass(MINUTE);
        engine.step();
        rollouts.abort("spring", true);
        engine.step();
        assertThat(fleet.device("sim-1").desired).contains("1.0.0");
    }

    @Test
    void anotherRolloutOfTheModelTakesItsPlace() throws Exception {
        begin(RINGS, "");
        rollouts.create("summer", plan("{'name':'few','devices':['sim-1']}", ""));
        rollouts.start("summer");
        assertThat(spring().state()).isEqualTo(RolloutState.SUPERSEDED);
        assertThatThrownBy(() -> rollouts.pause("spring")).hasMessageContaining("SUPERSEDED");
    }

    @Test
    void aReleaseThatIsNotPublishedIsRefused() {
        fleet.published.remove("2.0.0");
        assertThatThrownBy(() -> rollouts.create("spring", plan(RINGS, ""))).isInstanceOf(RejectedException.class);
    }

    @Test
    void planThatDoesNotHoldNamesItsKey() {
        assertThatThrownBy(() -> plan("{'name':'a','percent':5,'devices':['x']}", ""))
                .hasMessageContaining("rings[0].");
        assertThatThrownBy(() -> plan(RINGS, ",'gate':{'failedPercentage':1}"))
                .hasMessageContaining("gate.failedPercentage");
        assertThatThrownBy(() -> plan(RINGS, ",'retry':{'codes':['NOPE']}")).hasMessageContaining("retry.codes");
        assertThatThrownBy(() -> plan("", "")).hasMessageContaining("rings");
    }

    @Test
    void planIsReadAsItIsWritten() throws Exception {
        RolloutPlan plan = plan(
                RINGS,
                ",'gate':{'soakSeconds':60},'pace':{'factor':1.5},'retry':{'times':2,'codes':['INS-DISK']},'startSeconds':5");
        assertThat(RolloutPlan.read(Json.write(plan.toJson()))).isEqualTo(plan);
    }
}
