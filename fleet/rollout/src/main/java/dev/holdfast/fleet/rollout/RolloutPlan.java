package dev.holdfast.fleet.rollout;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What a rollout shall do, as the operator wrote it down.
 *
 * @param rings in the order in which they open; a device belongs to the first that takes it
 * @param start when the first ring opens; at once where empty
 * @param terms what each order says of window and bytes, which devices keep by themselves
 */
public record RolloutPlan(
        String model,
        String version,
        List<Ring> rings,
        Gate gate,
        Abort abort,
        Pace pace,
        Deadlines deadlines,
        Retry retry,
        Optional<Instant> start,
        Optional<Rollout> terms) {
    static final int MAX_BYTES = 1024 * 1024;
    private static final int MAX_RINGS = 64;
    private static final long MAX_SECONDS = Duration.ofDays(366).toSeconds();
    private static final int MAX_CODES = 64;

    /** A ring: a name for people, and who belongs to it. */
    public record Ring(String name, Selector selector) {}

    /**
     * What a ring has to show before the next one opens.
     *
     * @param endedPercent of its devices that have ended, one way or the other
     * @param attestedPercent of those that say they serve the release: the share that evidence has proved; 0 asks for none
     * @param failedPercent of its devices that may have failed
     * @param soak how long after the last one ended
     */
    public record Gate(double endedPercent, double attestedPercent, double failedPercent, Duration soak) {
        public static final Gate DEFAULT = new Gate(100, 100, 2, Duration.ZERO);
    }

    /**
     * When a rollout ends by itself.
     *
     * @param failedPercent of the devices that have ended in all its rings, beyond which it does
     * @param atLeast how many must have ended before that is judged
     * @param counterOrder whether devices are ordered back to what was desired of them before
     */
    public record Abort(double failedPercent, int atLeast, boolean counterOrder) {
        public static final Abort DEFAULT = new Abort(20, 5, false);
    }

    /**
     * How fast devices are ordered.
     *
     * @param perMinute at first
     * @param factor what it is multiplied by each time that {@code confirmed} more devices have confirmed
     * @param atOnce how many may be ordered and not have confirmed or ended
     */
    public record Pace(int perMinute, double factor, int confirmed, int atOnce) {
        public static final Pace DEFAULT = new Pace(1000, 1, 100, 10_000);

        /** How many a minute, after so many confirmed. */
        int perMinute(long confirmedByNow) {
            double grown = perMinute * Math.pow(factor, Math.min(confirmedByNow / confirmed, 64));
            return (int) Math.min(grown, MAX_PER_MINUTE);
        }

        private static final int MAX_PER_MINUTE = 1_000_000;
    }

    /** How long a device may be silent after its order, be at it, and be without proof. */
    public record Deadlines(Duration notified, Duration inProgress, Duration confirmed) {
        public static final Deadlines DEFAULT =
                new Deadlines(Duration.ofDays(1), Duration.ofDays(1), Duration.ofHours(2));
    }

    /**
     * Which failures are tried again. A device counts once, however often it is tried.
     *
     * @param times how often at most
     * @param pause before the first time; it doubles each time
     * @param codes whole codes such as {@code INS-DISK}; empty for any
     */
    public record Retry(int times, Duration pause, Set<String> codes) {
        public static final Retry NONE = new Retry(0, Duration.ofHours(1), Set.of());

        public Retry {
            codes = Set.copyOf(codes);
        }

        boolean covers(Optional<String> code) {
            return codes.isEmpty() || code.map(codes::contains).orElse(false);
        }
    }

    public RolloutPlan {
        rings = List.copyOf(rings);
    }

    /** With what is usual, in rings of these shares of the fleet. */
    public static RolloutPlan of(String model, String version, List<Ring> rings) {
        return new RolloutPlan(
                model,
                version,
                rings,
                Gate.DEFAULT,
                Abort.DEFAULT,
                Pace.DEFAULT,
                Deadlines.DEFAULT,
                Retry.NONE,
                Optional.empty(),
                Optional.empty());
    }

    /** Reads a plan; {@code CFG-INVALID} where it does not hold. A key that is not known is refused. */
    public static RolloutPlan read(byte[] utf8) throws RejectedException {
        Fields plan = Fields.read(utf8, MAX_BYTES, Code.CFG_INVALID);
        plan.only(Set.of(
                "format",
                "model",
                "version",
                "rings",
                "gate",
                "abort",
                "pace",
                "deadlines",
                "retry",
                "startSeconds",
                "terms"));
        plan.integer("format", 1, 1);
        List<Ring> rings = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (JsonNode node : plan.array("rings", MAX_RINGS)) {
            if (!node.isObject()) {
                throw plan.wrong("rings", "objects");
            }
            Fields ring = new Fields(node, Code.CFG_INVALID, "rings[" + rings.size() + "].");
            ring.only(Set.of("name", "percent", "labels", "devices"));
            String name = ring.text("name", ModelName.MAX_CHARS);
            if (!ModelName.isName(name) || !names.add(name)) {
                throw ring.wrong("name", "a name that no other ring has");
            }
            rings.add(new Ring(name, Selector.read(ring)));
        }
        if (rings.isEmpty()) {
            throw plan.wrong("rings", "one ring at least");
        }
        return new RolloutPlan(
                plan.modelName("model"),
                plan.modelName("version"),
                rings,
                plan.has("gate") ? gate(plan.object("gate")) : Gate.DEFAULT,
                plan.has("abort") ? abort(plan.object("abort")) : Abort.DEFAULT,
                plan.has("pace") ? pace(plan.object("pace")) : Pace.DEFAULT,
                plan.has("deadlines") ? deadlines(plan.object("deadlines")) : Deadlines.DEFAULT,
                plan.has("retry") ? retry(plan.object("retry")) : Retry.NONE,
                plan.has("startSeconds")
                        ? Optional.of(Instant.ofEpochSecond(plan.epochSeconds("startSeconds")))
                        : Optional.empty(),
                plan.has("terms")
                        ? Optional.of(
                                Rollout.fromJson(plan.object("terms").node()).orThrow())
                        : Optional.empty());
    }

    private static Gate gate(Fields gate) throws RejectedException {
        gate.only(Set.of("endedPercent", "attestedPercent", "failedPercent", "soakSeconds"));
        return new Gate(
                gate.numberOr("endedPercent", 1, 100, Gate.DEFAULT.endedPercent),
                gate.numberOr("attestedPercent", 0, 100, Gate.DEFAULT.attestedPercent),
                gate.numberOr("failedPercent", 0, 100, Gate.DEFAULT.failedPercent),
                seconds(gate, "soakSeconds", Gate.DEFAULT.soak));
    }

    private static Abort abort(Fields abort) throws RejectedException {
        abort.only(Set.of("failedPercent", "atLeast", "counterOrder"));
        return new Abort(
                abort.numberOr("failedPercent", 0, 100, Abort.DEFAULT.failedPercent),
                (int) abort.integerOr("atLeast", 1, Integer.MAX_VALUE, Abort.DEFAULT.atLeast),
                abort.flagOr("counterOrder", Abort.DEFAULT.counterOrder));
    }

    private static Pace pace(Fields pace) throws RejectedException {
        pace.only(Set.of("perMinute", "factor", "confirmed", "atOnce"));
        return new Pace(
                (int) pace.integerOr("perMinute", 1, Pace.MAX_PER_MINUTE, Pace.DEFAULT.perMinute),
                pace.numberOr("factor", 1, 10, Pace.DEFAULT.factor),
                (int) pace.integerOr("confirmed", 1, Integer.MAX_VALUE, Pace.DEFAULT.confirmed),
                (int) pace.integerOr("atOnce", 1, Integer.MAX_VALUE, Pace.DEFAULT.atOnce));
    }

    private static Deadlines deadlines(Fields deadlines) throws RejectedException {
        deadlines.only(Set.of("notifiedSeconds", "inProgressSeconds", "confirmedSeconds"));
        return new Deadlines(
                seconds(deadlines, "notifiedSeconds", Deadlines.DEFAULT.notified),
                seconds(deadlines, "inProgressSeconds", Deadlines.DEFAULT.inProgress),
                seconds(deadlines, "confirmedSeconds", Deadlines.DEFAULT.confirmed));
    }

    private static Retry retry(Fields retry) throws RejectedException {
        retry.only(Set.of("times", "pauseSeconds", "codes"));
        Set<String> codes = new HashSet<>();
        if (retry.has("codes")) {
            for (JsonNode code : retry.array("codes", MAX_CODES)) {
                codes.add(Code.byId(code.asText())
                        .orElseThrow(() -> retry.wrong("codes", "codes of docs/codes.md, such as INS-DISK"))
                        .id());
            }
        }
        return new Retry(
                (int) retry.integerOr("times", 0, 16, 0), seconds(retry, "pauseSeconds", Retry.NONE.pause), codes);
    }

    private static Duration seconds(Fields fields, String name, Duration otherwise) throws RejectedException {
        return Duration.ofSeconds(fields.integerOr(name, 0, MAX_SECONDS, otherwise.toSeconds()));
    }

    /** As {@link #read} takes it. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("format", 1).put("model", model).put("version", version);
        ArrayNode list = json.putArray("rings");
        rings.forEach(ring -> ring.selector.into(list.addObject().put("name", ring.name)));
        json.putObject("gate")
                .put("endedPercent", gate.endedPercent)
                .put("attestedPercent", gate.attestedPercent)
                .put("failedPercent", gate.failedPercent)
                .put("soakSeconds", gate.soak.toSeconds());
        json.putObject("abort")
                .put("failedPercent", abort.failedPercent)
                .put("atLeast", abort.atLeast)
                .put("counterOrder", abort.counterOrder);
        json.putObject("pace")
                .put("perMinute", pace.perMinute)
                .put("factor", pace.factor)
                .put("confirmed", pace.confirmed)
                .put("atOnce", pace.atOnce);
        json.putObject("deadlines")
                .put("notifiedSeconds", deadlines.notified.toSeconds())
                .put("inProgressSeconds", deadlines.inProgress.toSeconds())
                .put("confirmedSeconds", deadlines.confirmed.toSeconds());
        ArrayNode codes = json.putObject("retry")
                .put("times", retry.times)
                .put("pauseSeconds", retry.pause.toSeconds())
                .putArray("codes");
        retry.codes.stream().sorted().forEach(codes::add);
        start.ifPresent(at -> json.put("startSeconds", at.getEpochSecond()));
        terms.ifPresent(own -> json.set("terms", own.toJson()));
        return json;
    }

    /** The first ring that takes the device; -1 where none does. */
    int ringOf(String rollout, String device, java.util.Map<String, String> labels) {
        for (int ring = 0; ring < rings.size(); ring++) {
            if (rings.get(ring).selector.takes(rollout, device, labels)) {
                return ring;
            }
        }
        return -1;
    }
}
