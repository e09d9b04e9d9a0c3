package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.DesiredModels;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.WishChange;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Changes one model of what a device shall run; the others stay as they are. */
@Command(
        name = "desire",
        description = "Adds, changes or drops a model of a device, and gives it a hint to ask.",
        footer = {
            "",
            "Examples:",
            "  fleet desire cam-7 chat 2.0.0",
            "  fleet desire cam-7 chat 2.0.0 --rollout spring --spread PT4H --window 23:00-02:00",
            "  fleet desire cam-7 --remove chat"
        })
final class DesireCommand implements Callable<Integer> {
    /** Of a number that somebody types: enough for ever, and leaves room to count on. */
    private static final long MAX_AFTER = 1_000_000_000_000_000L;

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.Connected connected = new FleetCommand.Connected();

    @Mixin
    RolloutOptions rollout = new RolloutOptions();

    @Parameters(index = "0", paramLabel = "DEVICE", description = "The device's name.")
    String device = "";

    @Parameters(index = "1", arity = "0..1", paramLabel = "MODEL", description = "Added, or changed if it is there.")
    Optional<String> model = Optional.empty();

    @Parameters(index = "2", arity = "0..1", paramLabel = "VERSION", description = "A published version of it.")
    Optional<String> version = Optional.empty();

    @Option(
            names = "--default",
            description = "Requests that name no model are answered by this one. The first model becomes it anyway.")
    boolean byDefault;

    @Option(names = "--remove", paramLabel = "MODEL", description = "Drop this model: the device retires it.")
    Optional<String> remove = Optional.empty();

    @Option(
            names = "--grace",
            paramLabel = "TIME",
            description =
                    "How long the version that was desired before still answers to its pinned name, such as P7D. Where"
                            + " VERSION stays the same: how long those do that answer already; PT0S ends it.")
    Optional<Duration> grace = Optional.empty();

    @Option(
            names = "--draft",
            paramLabel = "NAME",
            description =
                    "Another model of the device, small and of the same vocabulary, which guesses what this one will"
                            + " say.")
    Optional<String> draft = Optional.empty();

    @Option(names = "--no-draft", description = "Nobody guesses what this model will say.")
    boolean noDraft;

    @Option(
            names = "--after",
            paramLabel = "N",
            description = "Number the order above N: what the device has seen where it reports UPD-ROLLBACK: director 1"
                    + " after N.")
    long after;

    @Option(names = "--no-hint", description = "Send no hint: the device asks by itself, or has no network.")
    boolean noHint;

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Override
    public Integer call() throws Exception {
        FleetDirectory.Config config = connected.config();
        FleetDirectory.requireName(device);
        DesiredModels wish = changed(connected.in.repository());
        print(spec.commandLine().getOut(), device, wish, json);
        if (!noHint) {
            OrderHint.send(config, Map.of(device, wish), spec.commandLine().getErr());
        }
        return 0;
    }

    private DesiredModels changed(FleetRepository repository) throws IOException, RejectedException {
        if (after < 0 || after > MAX_AFTER) {
            throw usage("--after takes a number of an order");
        }
        Optional<Rollout> terms = rollout.terms(Clock.systemUTC());
        if (remove.isPresent()) {
            if (model.isPresent()
                    || byDefault
                    || terms.isPresent()
                    || grace.isPresent()
                    || draft.isPresent()
                    || noDraft) {
                throw usage("--remove takes a model and nothing else");
            }
            return DesiredModels.remove(repository, device, remove.get(), after);
        }
        DesiredModels.Wish wish =
                new DesiredModels.Wish(version.orElseThrow(() -> usage("MODEL and VERSION, or --remove MODEL")), terms);
        WishChange change = new WishChange(byDefault, after, grace, draft());
        return DesiredModels.add(repository, device, model.orElse(""), wish, change);
    }

    private WishChange.Draft draft() {
        if (draft.isPresent() && noDraft) {
            throw usage("either --draft or --no-draft");
        }
        return draft.map(WishChange.Draft::of).orElse(noDraft ? WishChange.Draft.NONE : WishChange.Draft.AS_BEFORE);
    }

    private ParameterException usage(String expected) {
        return new ParameterException(spec.commandLine(), "fleet desire DEVICE: " + expected);
    }

    /** Says what is desired now. */
    static void print(PrintWriter out, String device, DesiredModels wish, boolean json) {
        if (json) {
            ObjectNode whole = Json.object().put("device", device);
            out.println(new String(Json.write(whole.setAll(wish.toJson())), StandardCharsets.UTF_8));
            return;
        }
        List<String> models = new ArrayList<>();
        wish.models()
                .forEach((name, one) -> models.add(name + " " + one.version()
                        + (wish.byDefault().equals(Optional.of(name)) ? " (default)" : "")
                        + one.grace().stream()
                                .map(older -> ", " + ModelName.id(name, older.version()) + " until " + older.until())
                                .collect(Collectors.joining())
                        + one.draft().map(small -> ", " + small + " guesses").orElse("")));
        out.println("desired of " + device + ": "
                + (models.isEmpty() ? "no model, so that it retires all" : String.join(", ", models)) + "; order "
                + wish.counter());
    }
}
