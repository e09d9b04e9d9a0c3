package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.FleetAudit;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.rollout.DirectoryFleet;
import dev.holdfast.fleet.rollout.Execution;
import dev.holdfast.fleet.rollout.ExecutionState;
import dev.holdfast.fleet.rollout.RingCounts;
import dev.holdfast.fleet.rollout.RolloutPlan;
import dev.holdfast.fleet.rollout.RolloutRecord;
import dev.holdfast.fleet.rollout.RolloutStore;
import dev.holdfast.fleet.rollout.Rollouts;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Table;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Rollouts: a release goes out ring by ring, as devices prove that they serve it. */
@Command(
        name = "rollout",
        description = {
            "Brings a release to the fleet ring by ring. A ring opens when the one before it has shown what its gate asks"
                    + " for: that its devices took the release, that few failed, and that evidence proves what they say.",
            "fleet serve moves rollouts on."
        },
        footer = {
            "",
            "Examples:",
            "  fleet rollout create spring chat 2.0.0 --rings 1%,10%,100%",
            "  fleet rollout start spring",
            "  fleet rollout explain spring",
            "  fleet rollout abort spring --counter-order"
        })
final class RolloutCommand {
    private static final int MAX_EVENTS = 50;
    /** Of one kind, for people; {@code --json} names all. */
    private static final int MAX_NAMED = 10;

    @Spec
    CommandSpec spec = CommandSpec.create();

    private PrintWriter out() {
        return spec.commandLine().getOut();
    }

    @FunctionalInterface
    private interface Act {
        RolloutRecord on(Rollouts rollouts) throws IOException, RejectedException;
    }

    private int act(FleetCommand.InDirectory in, Act act) throws IOException, RejectedException {
        FleetDirectory directory = in.directory();
        directory.config();
        try (RolloutStore store = RolloutStore.open(directory.root())) {
            RolloutRecord now = act.on(rollouts(directory, store));
            out().println("rollout " + now.id() + ": " + now.plan().model() + " "
                    + now.plan().version() + ", " + now.state()
                    + now.pausedBy().map(by -> " by " + by).orElse("") + "; " + now.why());
        }
        return 0;
    }

    static Rollouts rollouts(FleetDirectory directory, RolloutStore store) {
        Clock clock = Clock.systemUTC();
        // Orders are given, and evidence is asked for, by the service alone.
        DirectoryFleet fleet =
                new DirectoryFleet(new FleetRepository(directory, clock), (device, wish) -> {}, device -> {});
        return new Rollouts(store, fleet, new FleetAudit(directory, clock), clock);
    }

    @Command(name = "create", description = "Makes a rollout. Nothing is ordered before it is started.")
    int create(
            @Mixin FleetCommand.InDirectory in,
            @Parameters(paramLabel = "NAME", description = "What it is called.") String name,
            @Parameters(paramLabel = "MODEL", description = "A published model.") String model,
            @Parameters(paramLabel = "VERSION", description = "A published version of it.") String version,
            @Mixin RolloutPlanOptions options)
            throws Exception {
        RolloutPlan plan = options.plan(model, version);
        return act(in, rollouts -> {
            RolloutRecord made = rollouts.create(name, plan);
            SortedMap<Integer, Long> members = rollouts.members(made);
            for (int ring = 0; ring < plan.rings().size(); ring++) {
                RolloutPlan.Ring one = plan.rings().get(ring);
                out().println("  ring " + one.name() + " (" + one.selector() + "): " + members.getOrDefault(ring, 0L)
                        + " of today's devices");
            }
            return made;
        });
    }

    @Command(
            name = "start",
            description = "Lets a rollout begin. Another one of the same model that is under way is superseded.")
    int start(
            @Mixin FleetCommand.InDirectory in,
            @Parameters(paramLabel = "NAME", description = "The rollout.") String name)
            throws Exception {
        return act(in, rollouts -> rollouts.start(name));
    }

    @Command(
            name = "pause",
            description = "Orders no more devices; those that are at it go on, and abort still applies.")
    int pause(
            @Mixin FleetCommand.InDirectory in,
            @Parameters(paramLabel = "NAME", description = "The rollout.") String name)
            throws Exception {
        return act(in, rollouts -> rollouts.pause(name));
    }

    @Command(name = "resume", description = "Goes on after a pause.")
    int resume(
            @Mixin FleetCommand.InDirectory in,
            @Option(
                            names = "--past-gate",
                            description =
                                    "Opens the next ring, or completes the rollout, though the gate does not pass.")
                    boolean pastGate,
            @Parameters(paramLabel = "NAME", description = "The rollout.") String name)
            throws Exception {
        return act(in, rollouts -> rollouts.resume(name, pastGate));
    }

    @Command(name = "abort", description = "Ends a rollout: no further device is ordered.")
    int abort(
            @Mixin FleetCommand.InDirectory in,
            @Option(names = "--counter-order", description = "Orders devices back to what was desired of them before.")
                    boolean back,
            @Parameters(paramLabel = "NAME", description = "The rollout.") String name)
            throws Exception {
        return act(in, rollouts -> rollouts.abort(name, back));
    }

    @Command(name = "list", description = "All rollouts, the newest first.")
    int list(@Mixin FleetCommand.InDirectory in, @Option(names = "--json", description = "print JSON") boolean json)
            throws Exception {
        FleetDirectory directory = in.directory();
        directory.config();
        if (!RolloutStore.isThere(directory.root())) {
            out().println(json ? "[]" : "no rollout yet; see fleet rollout create");
            return 0;
        }
        Table table = new Table("ROLLOUT", "MODEL", "VERSION", "STATE", "RING", "DEVICES");
        ArrayNode all = Json.object().putArray("rollouts");
        try (RolloutStore store = RolloutStore.open(directory.root())) {
            for (RolloutRecord one : store.list()) {
                RingCounts counts =
                        store.counts(one.id()).values().stream().reduce(new RingCounts(Map.of()), RingCounts::plus);
                all.add(RolloutView.of(one, store.counts(one.id())));
                table.row(
                        one.id(),
                        one.plan().model(),
                        one.plan().version(),
                        one.state() + one.pausedBy().map(by -> " by " + by).orElse(""),
                        one.ring() < 0
                                ? "-"
                                : one.plan().rings().get(one.ring()).name(),
                        counts.toString());
            }
        }
        out().print(json ? new String(Json.write(all), StandardCharsets.UTF_8) + "\n" : table.on(Program.output(spec)));
        out().flush();
        return 0;
    }

    @Command(name = "status", description = "How far a rollout is, ring by ring.")
    int status(
            @Mixin FleetCommand.InDirectory in,
            @Option(names = "--json", description = "print JSON, with every device") boolean json,
            @Parameters(paramLabel = "NAME", description = "The rollout.") String name)
            throws Exception {
        in.directory().config();
        try (RolloutStore store = RolloutStore.open(in.directory().root())) {
            RolloutRecord rollout = store.get(name);
            SortedMap<Integer, RingCounts> counts = store.counts(name);
            if (json) {
                ObjectNode whole = RolloutView.of(rollout, counts);
                ArrayNode devices = whole.putArray("devices");
                store.executions(name).forEach(one -> devices.add(RolloutView.of(rollout, one)));
                out().println(new String(Json.write(whole), StandardCharsets.UTF_8));
            } else {
                head(rollout);
                out().print(RolloutView.rings(rollout, counts).on(Program.output(spec)));
                out().println(rollout.why());
                out().flush();
            }
        }
        return 0;
    }

    private void head(RolloutRecord rollout) {
        out().println("rollout " + rollout.id() + ": " + rollout.plan().model() + " "
                + rollout.plan().version() + ", " + rollout.state()
                + rollout.pausedBy().map(by -> " by " + by).orElse("")
                + rollout.startedAt()
                        .map(at -> ", started " + Units.time(at, Instant.now()))
                        .orElse(""));
    }

    @Command(
            name = "explain",
            description = "Why a rollout is where it is, with the numbers and the devices in the way.")
    int explain(
            @Mixin FleetCommand.InDirectory in,
            @Parameters(paramLabel = "NAME", description = "The rollout.") String name)
            throws Exception {
        in.directory().config();
        try (RolloutStore store = RolloutStore.open(in.directory().root())) {
            RolloutRecord rollout = store.get(name);
            head(rollout);
            out().println("Now: " + rollout.why());
            RolloutView.rules(rollout.plan()).forEach(out()::println);
            List<Execution> devices = store.executions(name);
            for (ExecutionState state : ExecutionState.values()) {
                List<Execution> those = devices.stream()
                        .filter(one -> one.state() == state && RolloutView.isInTheWay(one))
                        .toList();
                if (!those.isEmpty()) {
                    out().println(those.size() + " " + state + ":");
                    those.stream().limit(MAX_NAMED).forEach(one -> out().println("  " + RolloutView.says(one)));
                    if (those.size() > MAX_NAMED) {
                        out().println("  and " + (those.size() - MAX_NAMED) + " more: fleet rollout status " + name
                                + " --json");
                    }
                }
            }
            out().println("What was decided:");
            for (RolloutStore.Event event : store.events(name, MAX_EVENTS)) {
                out().println("  " + Units.time(event.at(), Instant.now()) + " " + event.kind() + ": " + event.says());
            }
            out().flush();
        }
        return 0;
    }
}
