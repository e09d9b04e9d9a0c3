package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.ChallengeReply;
import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferencePaths;
import dev.holdfast.control.LogLines;
import dev.holdfast.control.Refusal;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SlotRequest;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import io.vertx.core.Handler;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the agent may ask: load a candidate, flip to it, drop it, keep a set of models, load a release in its grace. Changes of one model
 * are carried out in the order in which they came, those of different models at once, and {@code keep} waits for none of them, nor do
 * they for a release in its grace; {@code status} answers at any time.
 */
final class ControlRoutes implements Handler<HttpServerRequest>, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ControlRoutes.class);
    /** A slot with 256 canaries fits. */
    private static final int MAX_BODY_BYTES = 1 << 20;

    /** Changes of one model that wait for the one before. */
    private static final int MAX_WAITING = 4;

    // Lines beside those of the models; no model has such a name.
    private static final String NOBODY = "";
    private static final String KEEPING = "*";
    private static final String GRACES = "@";

    /** How often a slot is to be loaded, and under which name. */
    private record Announced(String model, int times) {
        Announced plus(int more) {
            return new Announced(model, times + more);
        }
    }

    private final ModelHost models;
    private final ChallengeRelay relay;
    private final InferenceMetrics metrics;
    private final Supplier<List<String>> recentLines;
    /** Slots that are being loaded, or wait for it. */
    private final Map<SlotId, Announced> announced = new ConcurrentHashMap<>();

    private final KeyedThreads changes =
            new KeyedThreads("holdfast-control", new KeyedThreads.Bounds(1, MAX_WAITING, ModelName.MAX_MODELS + 3));

    ControlRoutes(
            ModelHost models, ChallengeRelay relay, InferenceMetrics metrics, Supplier<List<String>> recentLines) {
        this.metrics = metrics;
        this.models = models;
        this.relay = relay;
        this.recentLines = recentLines;
    }

    @Override
    public void handle(HttpServerRequest request) {
        String path = request.path() == null ? "" : request.path();
        HttpMethod expected = switch (path) {
            case InferencePaths.STATUS, InferencePaths.LOG, InferencePaths.CHALLENGES -> HttpMethod.GET;
            case InferencePaths.CANDIDATE,
                    InferencePaths.FLIP,
                    InferencePaths.DISCARD,
                    InferencePaths.KEEP,
                    InferencePaths.GRACE,
                    InferencePaths.EVIDENCE -> HttpMethod.POST;
            default -> null;
        };
        if (!request.method().equals(expected)) {
            refuse(request, 404, new Rejection(Code.API_NOT_FOUND, "there is no such path"));
            return;
        }
        switch (path) {
            case InferencePaths.STATUS ->
                Replies.json(request.response(), 200, models.status().toJson());
            case InferencePaths.LOG -> Replies.json(request.response(), 200, new LogLines(recentLines.get()).toJson());
            case InferencePaths.CHALLENGES -> relay.collect(request);
            case InferencePaths.EVIDENCE ->
                Replies.body(request, ChallengeReply.MAX_BYTES, body -> evidence(request, body));
            default -> Replies.body(request, MAX_BODY_BYTES, body -> change(request, path, body));
        }
    }

    private void evidence(HttpServerRequest request, byte[] body) {
        switch (Json.readObject(body, ChallengeReply.MAX_BYTES).then(ChallengeReply::read)) {
            case Verdict.Rejected<ChallengeReply>(Rejection reason) -> refuse(request, 400, reason);
            case Verdict.Accepted<ChallengeReply>(ChallengeReply reply) -> {
                relay.deliver(reply);
                Replies.json(request.response(), 200, Json.object());
            }
        }
    }

    private void change(HttpServerRequest request, String path, byte[] body) {
        try {
            JsonNode node = Json.readObject(body, MAX_BODY_BYTES).orThrow();
            switch (path) {
                case InferencePaths.CANDIDATE -> load(request, Slot.read(node).orThrow());
                case InferencePaths.GRACE -> {
                    Slot slot = Slot.read(node).orThrow();
                    // Not in the model's own line, where a flip would wait for it.
                    enqueue(request, path, GRACES, () -> reply(request, "in its grace", slot, models.grace(slot)));
                }
                case InferencePaths.FLIP -> {
                    SlotId slot = SlotRequest.read(node).orThrow().slot();
                    enqueue(request, path, lineOf(slot), () -> flip(request, slot));
                }
                case InferencePaths.DISCARD -> {
                    SlotId slot = SlotRequest.read(node).orThrow().slot();
                    enqueue(request, path, lineOf(slot), () -> {
                        models.discard(slot);
                        Replies.json(request.response(), 200, Json.object());
                    });
                }
                default -> {
                    ServingSet set = ServingSet.read(node).orThrow();
                    enqueue(request, path, KEEPING, () -> {
                        models.keep(set);
                        LOG.info(
                                "keeping {}, by default {}",
                                set.models(),
                                set.byDefault().orElse("any"));
                        Replies.json(request.response(), 200, Json.object());
                    });
                }
            }
        } catch (RejectedException e) {
            refuse(request, Replies.status(e.rejection().code()), e.rejection());
        } catch (RuntimeException | Error e) {
            fault(request, path, e);
        }
    }

    private static void fault(HttpServerRequest request, String path, Throwable fault) {
        LOG.error("{} failed", path, fault);
        refuse(request, 500, new Rejection(Code.API_INTERNAL, fault.toString()));
    }

    /** A change of a slot that is still to be loaded waits for that, too. */
    private String lineOf(SlotId slot) {
        Announced load = announced.get(slot);
        return load != null ? load.model : models.nameOf(slot).orElse(NOBODY);
    }

    private void load(HttpServerRequest request, Slot slot) {
        announced.merge(slot.slotId(), new Announced(slot.model(), 1), (known, one) -> known.plus(1));
        boolean queued = enqueue(request, InferencePaths.CANDIDATE, slot.model(), () -> {
            try {
                candidate(request, slot);
            } finally {
                done(slot);
            }
        });
        if (!queued) {
            done(slot);
        }
    }

    private void done(Slot slot) {
        announced.computeIfPresent(slot.slotId(), (id, load) -> load.times == 1 ? null : load.plus(-1));
    }

    private boolean enqueue(HttpServerRequest request, String path, String line, Runnable change) {
        boolean queued = changes.submit(line, () -> {
            try {
                change.run();
            } catch (RuntimeException | Error e) {
                fault(request, path, e);
            }
            return () -> {};
        });
        if (!queued) {
            refuse(request, 429, new Rejection(Code.API_BUSY, "other changes wait already"));
        }
        return queued;
    }

    private void candidate(HttpServerRequest request, Slot slot) {
        reply(request, "candidate", slot, models.loadCandidate(slot));
    }

    private static void reply(HttpServerRequest request, String what, Slot slot, GateReport report) {
        report.failure().ifPresent(why -> LOG.warn("{} {} refused: {}", what, slot, why));
        int status = report.failure().map(ControlRoutes::status).orElse(200);
        Replies.json(request.response(), status, report.toJson());
    }

    /** 422 says that the model must not serve; where too many models are held, nothing was found out about it. */
    private static int status(Rejection failure) {
        return failure.code() == Code.API_BUSY ? 429 : 422;
    }

    private void flip(HttpServerRequest request, SlotId slot) {
        switch (models.flip(slot)) {
            case Verdict.Rejected<Flip>(Rejection why) -> refuse(request, 409, why);
            case Verdict.Accepted<Flip>(Flip flip) -> {
                String name = models.nameOf(slot).orElse("");
                metrics.swapped(name, flip.pauseMicros());
                LOG.info("{} serves slot {} after a pause of {} us", name, slot, flip.pauseMicros());
                Replies.json(request.response(), 200, flip.toJson());
            }
        }
    }

    private static void refuse(HttpServerRequest request, int status, Rejection why) {
        Replies.json(request.response(), status, Refusal.toJson(why));
    }

    @Override
    public void close() {
        changes.close();
    }
}
