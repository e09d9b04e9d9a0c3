package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * An older version of a model that a device goes on serving under its pinned name for a while, since vectors of two versions of an
 * embedder must not mix in one index.
 *
 * @param untilSeconds the end of it, in seconds since 1970
 */
public record GraceWish(String version, long untilSeconds) {
    private static final String FIELD = "grace";
    /** No time beyond it can be written into an order. */
    private static final Instant LAST = Instant.parse("9999-12-31T00:00:00Z");

    private static final Duration LONGEST = Duration.ofDays(366);

    /** Until when. */
    public Instant until() {
        return Instant.ofEpochSecond(untilSeconds);
    }

    static void into(ObjectNode json, List<GraceWish> graces) {
        if (!graces.isEmpty()) {
            ArrayNode list = json.putArray(FIELD);
            graces.forEach(each -> list.addObject().put("version", each.version).put("until", each.untilSeconds));
        }
    }

    static List<GraceWish> read(Fields wish) throws RejectedException {
        List<GraceWish> graces = new ArrayList<>();
        if (wish.has(FIELD)) {
            for (JsonNode item : wish.array(FIELD, ModelTerms.MAX_LIST)) {
                Fields one = Fields.of(item, Code.CFG_INVALID);
                graces.add(new GraceWish(one.modelName("version"), one.epochSeconds("until")));
            }
        }
        return List.copyOf(graces);
    }

    /**
     * What a device's report says of a model in its field {@code grace}, of what it serves. Untrusted.
     *
     * @param serving the version beside which they are
     * @return empty where any of it cannot be read
     */
    static Optional<List<GraceWish>> reported(JsonNode list, String serving) {
        List<GraceWish> graces = new ArrayList<>();
        Set<String> versions = new HashSet<>(Set.of(serving));
        for (JsonNode one : list) {
            String version = one.path("version").asText();
            if (!one.has("code") && !version.equals(serving)) {
                Optional<Instant> until = instant(one.path("until").asText());
                if (until.isEmpty()
                        || !ModelName.isName(version)
                        || !versions.add(version)
                        || graces.size() == ModelTerms.MAX_LIST) {
                    return Optional.empty();
                }
                graces.add(new GraceWish(version, Math.max(0, until.get().getEpochSecond())));
            }
        }
        return Optional.of(graces);
    }

    private static Optional<Instant> instant(String text) {
        try {
            Instant at = Instant.parse(text);
            return at.isBefore(LAST) ? Optional.of(at) : Optional.empty();
        } catch (DateTimeParseException e) {
            return Optional.empty();
        }
    }

    /**
     * What stays when {@code next} takes the place of {@code before}. A grace that was promised holds until its end, whatever is desired
     * meanwhile; only an epoch that rises above it ends it, as it would on the device.
     *
     * @param lasts how long the version before stays, counted from when the last device of a rollout begins; where the version does not
     *     change, how long those stay that do already, and zero ends them; empty: nothing more stays
     * @return {@code CFG-INVALID} where there is nothing that could stay, it is too long, or too many stay; {@code UPD-EPOCH} where the
     *     version before is of a lower epoch
     */
    static List<GraceWish> following(
            FleetRepository repository,
            String model,
            Optional<DesiredModels.Wish> before,
            DesiredModels.Wish next,
            Optional<Duration> lasts)
            throws IOException, RejectedException {
        Instant now = repository.now();
        String version = next.version();
        boolean same = before.filter(wish -> wish.version().equals(version)).isPresent();
        List<GraceWish> stay =
                new ArrayList<>(before.map(DesiredModels.Wish::grace).orElse(List.of()));
        stay.removeIf(each -> each.version.equals(version) || !each.until().isAfter(now));
        if (lasts.isPresent()) {
            if (lasts.get().isNegative() || lasts.get().compareTo(LONGEST) > 0) {
                throw new RejectedException(Code.CFG_INVALID, "a grace lasts " + LONGEST.toDays() + " days at most");
            }
            if (lasts.get().isZero()) {
                return List.of();
            }
            long until = begins(next.rollout(), now).plus(lasts.get()).getEpochSecond();
            if (same) {
                stay.replaceAll(each -> new GraceWish(each.version, until));
            } else {
                before.ifPresent(wish -> {
                    stay.removeIf(each -> each.version.equals(wish.version()));
                    stay.addFirst(new GraceWish(wish.version(), until));
                });
            }
            if (stay.isEmpty()) {
                throw new RejectedException(
                        Code.CFG_INVALID,
                        "no version of " + model + " before " + version + " is desired of it: nothing can stay");
            }
        }
        return above(repository, model, version, stay, lasts.isPresent() && !same);
    }

    /** When the last device of a rollout begins. */
    private static Instant begins(Optional<Rollout> rollout, Instant now) {
        Rollout terms = rollout.orElse(Rollout.NONE);
        Instant start = terms.start().isAfter(now) ? terms.start() : now;
        return start.plus(terms.spread());
    }

    /** Those that devices let serve beside {@code version}. */
    private static List<GraceWish> above(
            FleetRepository repository, String model, String version, List<GraceWish> stay, boolean firstMust)
            throws IOException, RejectedException {
        List<GraceWish> may = new ArrayList<>();
        long least = stay.isEmpty() ? 0 : target(repository, model, version).epoch();
        for (GraceWish each : stay) {
            long epoch = target(repository, model, each.version).epoch();
            if (epoch >= least) {
                may.add(each);
            } else if (firstMust && each == stay.getFirst()) {
                throw new RejectedException(
                        Code.UPD_EPOCH,
                        ModelName.id(model, each.version) + " is of security epoch " + epoch + ", " + version + " of "
                                + least + ": devices do not let it stay");
            }
        }
        if (may.size() > ModelTerms.MAX_LIST) {
            throw new RejectedException(
                    Code.CFG_INVALID, "at most " + ModelTerms.MAX_LIST + " versions of a model are in their grace");
        }
        return List.copyOf(may);
    }

    private static ModelTarget target(FleetRepository repository, String model, String version)
            throws IOException, RejectedException {
        return repository.releases(Map.of(model, version)).getFirst().model();
    }
}
