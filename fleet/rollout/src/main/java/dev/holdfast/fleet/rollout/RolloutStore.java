package dev.holdfast.fleet.rollout;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Collection;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** Rollouts, the devices in them, and devices' labels, in {@code rollouts.db} of the fleet's folder. Thread-safe. */
public final class RolloutStore implements AutoCloseable {
    private static final String FILE = "rollouts.db";

    private final Database database;

    private RolloutStore(Database database) {
        this.database = database;
    }

    /** What is made of a rollout as it is now. */
    @FunctionalInterface
    interface Change {
        RolloutRecord of(RolloutRecord now) throws RejectedException;
    }

    /** A line of what was decided. */
    public record Event(long number, Instant at, String kind, String says) {}

    /** Opens the fleet's database, and makes it where it is not there. */
    public static RolloutStore open(Path fleet) throws IOException {
        return new RolloutStore(Database.open(fleet.toAbsolutePath().resolve(FILE)));
    }

    /** Whether a fleet ever had a rollout or a label. */
    public static boolean isThere(Path fleet) {
        return Database.isThere(fleet.resolve(FILE));
    }

    /** Does work as one transaction. */
    <T> T together(Database.Work<T> work) throws IOException, RejectedException {
        return database.together(work);
    }

    /** {@code FLT-EXISTS} where there is one of that name. */
    void create(RolloutRecord fresh) throws IOException, RejectedException {
        together(() -> {
            if (find(fresh.id()).isPresent()) {
                throw new RejectedException(Code.FLT_EXISTS, "there is a rollout " + fresh.id() + " already");
            }
            return database.update(
                    "insert into rollout (id, plan, state, ring, created_at, created_by, why, goes_back, row_version)"
                            + " values (?, ?, ?, ?, ?, ?, ?, ?, 0)",
                    fresh.id(),
                    text(fresh.plan()),
                    fresh.state(),
                    fresh.ring(),
                    fresh.createdAt(),
                    fresh.createdBy(),
                    fresh.why(),
                    fresh.goesBack());
        });
    }

    private static String text(RolloutPlan plan) {
        return new String(Json.write(plan.toJson()), StandardCharsets.UTF_8);
    }

    public Optional<RolloutRecord> find(String id) throws IOException, RejectedException {
        return database.first("select * from rollout where id = ?", RolloutStore::rollout, id);
    }

    /** {@code FLT-ABSENT} where there is none of that name. */
    public RolloutRecord get(String id) throws IOException, RejectedException {
        return find(id).orElseThrow(() ->
                new RejectedException(Code.FLT_ABSENT, "there is no rollout " + id + "; see fleet rollout list"));
    }

    /** All, the newest first. */
    public List<RolloutRecord> list() throws IOException, RejectedException {
        return database.all("select * from rollout order by created_at desc, id", RolloutStore::rollout);
    }

    /** Those that something is still to be done of, the oldest first. */
    List<RolloutRecord> active() throws IOException, RejectedException {
        return database.all(
                "select * from rollout where state in (?, ?, ?) or goes_back = ? order by created_at, id",
                RolloutStore::rollout,
                RolloutState.SCHEDULED,
                RolloutState.RUNNING,
                RolloutState.PAUSED,
                true);
    }

    private static RolloutRecord rollout(Database.Row row) throws SQLException, RejectedException {
        return new RolloutRecord(
                row.text("id"),
                RolloutPlan.read(row.text("plan").getBytes(StandardCharsets.UTF_8)),
                RolloutState.valueOf(row.text("state")),
                row.textOrNone("paused_by").map(RolloutRecord.Pause::valueOf),
                (int) row.number("ring"),
                row.time("created_at"),
                row.text("created_by"),
                row.timeOrNone("started_at"),
                row.timeOrNone("ended_at"),
                row.text("why"),
                row.flag("goes_back"),
                row.number("row_version"));
    }

    /** Changes a rollout as it is now, whoever else does; {@code FLT-ABSENT} where there is none. */
    RolloutRecord change(String id, Change change) throws IOException, RejectedException {
        return together(() -> {
            RolloutRecord now = get(id);
            RolloutRecord next = change.of(now);
            if (next.equals(now)) {
                return now;
            }
            database.update(
                    "update rollout set state = ?, paused_by = ?, ring = ?, started_at = ?, ended_at = ?, why = ?,"
                            + " goes_back = ?, row_version = row_version + 1 where id = ?",
                    next.state(),
                    next.pausedBy(),
                    next.ring(),
                    next.startedAt(),
                    next.endedAt(),
                    next.why(),
                    next.goesBack(),
                    id);
            return get(id);
        });
    }

    /** Writes down what was decided. */
    void tell(String rollout, Instant at, String kind, String says) throws IOException, RejectedException {
        database.update(
                "insert into rollout_event (rollout, number, at, kind, says)"
                        + " values (?, (select coalesce(max(number), 0) + 1 from rollout_event where rollout = ?), ?, ?, ?)",
                rollout,
                rollout,
                at,
                kind,
                says);
    }

    /** The newest, oldest first. */
    public List<Event> events(String rollout, int most) throws IOException, RejectedException {
        return database.all(
                        "select * from rollout_event where rollout = ? order by number desc limit ?",
                        row -> new Event(row.number("number"), row.time("at"), row.text("kind"), row.text("says")),
                        rollout,
                        most)
                .reversed();
    }

    /** Takes devices into an open ring; those that are in the rollout already stay as they are. @return how many came in */
    int admit(String rollout, int ring, Collection<String> devices, Instant now) throws IOException, RejectedException {
        return together(() -> {
            int admitted = 0;
            for (String device : devices) {
                if (database.update(
                                "insert into execution (rollout, device, ring, state, since, attempts, order_number,"
                                        + " detail, went_back, row_version) values (?, ?, ?, ?, ?, 0, 0, '', ?, 0)"
                                        + " on conflict (rollout, device) do nothing",
                                rollout,
                                device,
                                ring,
                                ExecutionState.QUEUED,
                                now,
                                false)
                        > 0) {
                    admitted++;
                }
            }
            count(rollout, ring, ExecutionState.QUEUED, admitted);
            return admitted;
        });
    }

    private void count(String rollout, int ring, ExecutionState state, int more) throws IOException {
        if (more != 0) {
            database.update(
                    "insert into ring_count (rollout, ring, state, devices) values (?, ?, ?, ?)"
                            + " on conflict (rollout, ring, state) do update set devices = ring_count.devices + excluded.devices",
                    rollout,
                    ring,
                    state,
                    more);
        }
    }

    /** Moves a device on, unless somebody else did meanwhile. @return whether it was moved */
    boolean move(Execution before, Execution next) throws IOException, RejectedException {
        return together(() -> {
            int rows = database.update(
                    "update execution set state = ?, since = ?, deadline = ?, ordered_at = ?, attempts = ?,"
                            + " order_number = ?, version_before = ?, failure_before = ?, refusal_before = ?, code = ?, detail = ?,"
                            + " proved_at = ?, went_back = ?, row_version = row_version + 1"
                            + " where rollout = ? and device = ? and row_version = ?",
                    next.state(),
                    next.since(),
                    next.deadline(),
                    next.orderedAt(),
                    next.attempts(),
                    next.order(),
                    next.versionBefore(),
                    next.failureBefore(),
                    next.refusalBefore(),
                    next.code(),
                    next.detail(),
                    next.provedAt(),
                    next.wentBack(),
                    before.rollout(),
                    before.device(),
                    before.rowVersion());
            if (rows == 0) {
                return false;
            }
            if (next.state() != before.state()) {
                count(before.rollout(), before.ring(), before.state(), -1);
                count(before.rollout(), before.ring(), next.state(), 1);
            }
            return true;
        });
    }

    /** The devices of a rollout that are in a state, those first that came to it first. */
    List<Execution> in(String rollout, ExecutionState state, int most) throws IOException, RejectedException {
        return database.all(
                "select * from execution where rollout = ? and state = ? order by since, device limit ?",
                RolloutStore::execution,
                rollout,
                state,
                most);
    }

    /** All devices of a rollout that are in it yet, by name. */
    public List<Execution> executions(String rollout) throws IOException, RejectedException {
        return database.all(
                "select * from execution where rollout = ? order by ring, device", RolloutStore::execution, rollout);
    }

    /** Devices that were ordered and shall be ordered back. */
    List<Execution> toGoBack(String rollout, int most) throws IOException, RejectedException {
        return database.all(
                "select * from execution where rollout = ? and attempts > 0 and went_back = ? and state <> ? limit ?",
                RolloutStore::execution,
                rollout,
                false,
                ExecutionState.REMOVED,
                most);
    }

    private static Execution execution(Database.Row row) throws SQLException {
        return new Execution(
                row.text("rollout"),
                row.text("device"),
                (int) row.number("ring"),
                ExecutionState.valueOf(row.text("state")),
                row.time("since"),
                row.timeOrNone("deadline"),
                row.timeOrNone("ordered_at"),
                (int) row.number("attempts"),
                row.number("order_number"),
                row.textOrNone("version_before"),
                row.textOrNone("failure_before"),
                row.textOrNone("refusal_before"),
                row.textOrNone("code"),
                row.text("detail"),
                row.timeOrNone("proved_at"),
                row.flag("went_back"),
                row.number("row_version"));
    }

    /** How many were ordered since then. */
    int orderedSince(String rollout, Instant then) throws IOException, RejectedException {
        return database.first(
                        "select count(*) as devices from execution where rollout = ? and ordered_at > ?",
                        row -> (int) row.number("devices"),
                        rollout,
                        then)
                .orElse(0);
    }

    /** When the last device of a ring ended. */
    Optional<Instant> lastEnd(String rollout, int ring) throws IOException, RejectedException {
        return database.first(
                        "select max(since) as ended from execution where rollout = ? and ring = ? and state not in (?, ?, ?, ?)",
                        row -> row.timeOrNone("ended"),
                        rollout,
                        ring,
                        ExecutionState.QUEUED,
                        ExecutionState.NOTIFIED,
                        ExecutionState.IN_PROGRESS,
                        ExecutionState.CONFIRMED)
                .flatMap(ended -> ended);
    }

    /** How many devices of each open ring are in each state. */
    public SortedMap<Integer, RingCounts> counts(String rollout) throws IOException, RejectedException {
        SortedMap<Integer, Map<ExecutionState, Long>> rings = new TreeMap<>();
        database.all(
                "select ring, state, devices from ring_count where rollout = ? and devices <> 0",
                row -> rings.computeIfAbsent((int) row.number("ring"), any -> new EnumMap<>(ExecutionState.class))
                        .put(ExecutionState.valueOf(row.text("state")), row.number("devices")),
                rollout);
        SortedMap<Integer, RingCounts> counts = new TreeMap<>();
        rings.forEach((ring, states) -> counts.put(ring, new RingCounts(states)));
        return counts;
    }

    public DeviceLabels labels() {
        return new DeviceLabels(database);
    }

    @Override
    public void close() throws IOException {
        database.close();
    }
}
