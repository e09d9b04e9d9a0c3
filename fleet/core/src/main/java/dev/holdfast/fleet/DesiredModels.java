package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.release.DirectorOrder;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a device shall run: the whole set. Each change has the next number.
 *
 * @param counter the order's number; grows with each change for this device
 * @param byDefault the model that answers requests which name none; empty exactly where there is no model
 * @param models what to run, by name of the model; empty retires everything
 */
public record DesiredModels(long counter, Optional<String> byDefault, SortedMap<String, Wish> models) {
    private static final int MAX_BYTES = 64 * 1024;
    /** Signatures of two families and their key ids; ML-DSA-44's alone has 4840 hexadecimal digits. */
    private static final int SIGNATURES_BYTES = 16 * 1024;
    /** Says that the device was forgotten and the number of its last order is kept. */
    private static final String FORGOTTEN = "forgotten";

    /**
     * A version of a model.
     *
     * @param rollout when and at what cost; at once where empty
     * @param since number of the order that said so first; a later order that changes another model does not make it a new wish,
     *     while the same wish again does. 0 where not known
     * @param grace older versions that still answer to their pinned names for a while
     * @param draft the name of another model of the device that guesses what this one will say
     */
    public record Wish(
            String version, Optional<Rollout> rollout, long since, List<GraceWish> grace, Optional<String> draft) {
        public Wish {
            grace = List.copyOf(grace);
        }

        /** No older version stays, and nobody guesses. */
        public Wish(String version, Optional<Rollout> rollout, long since) {
            this(version, rollout, since, List.of(), Optional.empty());
        }

        /** To be numbered by {@link DesiredModels#add}. */
        public Wish(String version, Optional<Rollout> rollout) {
            this(version, rollout, 0);
        }

        private Wish since(long order) {
            return new Wish(version, rollout, order, grace, draft);
        }

        private Wish grace(List<GraceWish> stay) {
            return new Wish(version, rollout, since, stay, draft);
        }

        private Wish draft(Optional<String> name) {
            return new Wish(version, rollout, since, grace, name);
        }

        private ObjectNode toJson() {
            ObjectNode json = Json.object().put("version", version);
            if (since > 0) {
                json.put("since", since);
            }
            rollout.ifPresent(terms -> json.set(Rollout.FIELD, terms.toJson()));
            GraceWish.into(json, grace);
            draft.ifPresent(name -> json.put("draft", name));
            return json;
        }

        private static Wish read(Fields wish) throws RejectedException {
            Optional<Rollout> rollout =
                    wish.has(Rollout.FIELD) ? Optional.of(Rollout.of(wish.object(Rollout.FIELD))) : Optional.empty();
            return new Wish(
                    wish.modelName("version"),
                    rollout,
                    wish.integerOr("since", 1, Long.MAX_VALUE, 0),
                    GraceWish.read(wish),
                    wish.has("draft") ? Optional.of(wish.modelName("draft")) : Optional.empty());
        }
    }

    /** What an order for it says: the targets of all releases with their patches, and the terms of each model. */
    record Content(
            List<FleetRepository.Release> releases, List<TargetFile> files, SortedMap<String, ModelTerms> terms) {}

    public DesiredModels {
        models = Collections.unmodifiableSortedMap(new TreeMap<>(models));
        if (models.isEmpty() == byDefault.isPresent()
                || !byDefault.map(models::containsKey).orElse(true)) {
            throw new IllegalArgumentException("one of the models is the default");
        }
    }

    /** Empty where nothing is desired of the device; {@code CFG-INVALID} where the file does not hold. */
    public static Optional<DesiredModels> read(FleetDirectory directory, String device)
            throws IOException, RejectedException {
        Optional<Fields> file = file(directory, device);
        return file.isPresent() && !file.get().has(FORGOTTEN) ? Optional.of(read(file.get())) : Optional.empty();
    }

    private static Optional<Fields> file(FleetDirectory directory, String device)
            throws IOException, RejectedException {
        Optional<JsonNode> found = FleetDirectory.readJson(directory.desired(device), MAX_BYTES);
        return found.isPresent() ? Optional.of(Fields.of(found.get(), Code.CFG_INVALID)) : Optional.empty();
    }

    /** Number of the last order; 0 where there never was one. */
    private static long lastNumber(FleetDirectory directory, String device) throws IOException, RejectedException {
        Optional<Fields> file = file(directory, device);
        return file.isPresent() ? file.get().integer("counter", 1) : 0;
    }

    /** Nothing is desired any more; the numbers go on, since a device that comes back under the name has seen the last one. */
    static void forget(FleetDirectory directory, String device) throws IOException, RejectedException {
        long last = lastNumber(directory, device);
        if (last > 0) {
            FleetDirectory.replace(
                    directory.desired(device),
                    Json.write(Json.object().put("counter", last).put(FORGOTTEN, true)));
        }
    }

    private static DesiredModels read(Fields file) throws RejectedException {
        long counter = file.integer("counter", 1);
        SortedMap<String, Wish> models = new TreeMap<>();
        if (!file.has("models")) {
            // A file of the time when a device ran one model has it at the top.
            models.put(file.modelName("model"), Wish.read(file));
            return new DesiredModels(counter, Optional.of(models.firstKey()), models);
        }
        Fields named = file.object("models");
        for (Iterator<String> names = named.node().fieldNames(); names.hasNext(); ) {
            String name = names.next();
            models.put(name, Wish.read(named.object(name)));
        }
        Optional<String> byDefault = file.has("default") ? Optional.of(file.modelName("default")) : Optional.empty();
        if (models.size() > ModelName.MAX_MODELS
                || models.isEmpty() == byDefault.isPresent()
                || !byDefault.map(models::containsKey).orElse(true)) {
            throw file.wrong("default", "one of at most " + ModelName.MAX_MODELS + " models");
        }
        return new DesiredModels(counter, byDefault, models);
    }

    /** The object of {@code desired/<device>.json}, and what commands print. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("counter", counter).put("default", byDefault.orElse(null));
        ObjectNode named = json.putObject("models");
        models.forEach((model, wish) -> named.set(model, wish.toJson()));
        return json;
    }

    /** The same under the next number. */
    public static DesiredModels add(
            FleetRepository repository, String device, String model, Wish wish, boolean byDefault)
            throws IOException, RejectedException {
        return add(
                repository,
                device,
                model,
                wish,
                new WishChange(byDefault, 0, Optional.empty(), WishChange.Draft.AS_BEFORE));
    }

    /**
     * Adds a model to what is desired of {@code device}, or changes its version and terms; the others stay as they are.
     *
     * @return what is desired now; {@code UPD-TARGET-UNKNOWN} where the release is not published, {@code CFG-INVALID} where
     *     the set would be too large or nothing is there that could stay, {@code UPD-EPOCH} where what should stay may not
     */
    public static DesiredModels add(
            FleetRepository repository, String device, String model, Wish wish, WishChange change)
            throws IOException, RejectedException {
        return change(repository, device, change.after(), before -> {
            SortedMap<String, Wish> models = new TreeMap<>(before.models);
            List<GraceWish> stay = GraceWish.following(
                    repository, model, Optional.ofNullable(models.get(model)), wish, change.grace());
            Optional<String> draft = change.draft().following(Optional.ofNullable(models.get(model)));
            models.put(model, wish.since(before.counter + 1).grace(stay).draft(draft));
            change.draft().require(model, models);
            if (models.size() > ModelName.MAX_MODELS) {
                throw new RejectedException(
                        Code.CFG_INVALID,
                        "a device runs at most " + ModelName.MAX_MODELS + " models; drop one first: fleet desire "
                                + device + " --remove MODEL");
            }
            Optional<String> next =
                    change.byDefault() ? Optional.of(model) : before.byDefault.or(() -> Optional.of(model));
            return new DesiredModels(before.counter + 1, next, models);
        });
    }

    /** The same under the next number. */
    public static DesiredModels remove(FleetRepository repository, String device, String model)
            throws IOException, RejectedException {
        return remove(repository, device, model, 0);
    }

    /**
     * Drops a model from what is desired of {@code device}: the device retires it. Where it was the default and one other is
     * left, that becomes the default.
     *
     * @param after a number that the order's own is above; 0 where it is just the next one
     * @return what is desired now; {@code FLT-ABSENT} where it is not desired, {@code CFG-INVALID} where it is the default and
     *     several others are left
     */
    public static DesiredModels remove(FleetRepository repository, String device, String model, long after)
            throws IOException, RejectedException {
        return change(repository, device, after, before -> {
            SortedMap<String, Wish> models = new TreeMap<>(before.models);
            if (models.remove(model) == null) {
                throw new RejectedException(Code.FLT_ABSENT, model + " is not desired of " + device);
            }
            models.replaceAll(
                    (other, wish) -> wish.draft().equals(Optional.of(model)) ? wish.draft(Optional.empty()) : wish);
            if (!before.byDefault.equals(Optional.of(model))) {
                return new DesiredModels(before.counter + 1, before.byDefault, models);
            }
            if (models.size() > 1) {
                String other = models.firstKey();
                throw new RejectedException(
                        Code.CFG_INVALID,
                        model + " is the default; choose another one first, such as: fleet desire " + device + " "
                                + other + " "
                                + Objects.requireNonNull(models.get(other)).version() + " --default");
            }
            return new DesiredModels(
                    before.counter + 1, models.keySet().stream().findFirst(), models);
        });
    }

    @FunctionalInterface
    private interface Change {
        DesiredModels of(DesiredModels before) throws IOException, RejectedException;
    }

    private static DesiredModels change(FleetRepository repository, String device, long after, Change change)
            throws IOException, RejectedException {
        FleetDirectory directory = repository.directory();
        // Two orders of one number would be two orders that a device cannot tell apart.
        return directory.exclusively(() -> {
            new HeldOrders(directory).requireFree(device);
            DesiredModels before =
                    read(directory, device).orElse(new DesiredModels(0, Optional.empty(), new TreeMap<>()));
            long last = Math.max(after, lastNumber(directory, device));
            DesiredModels next = change.of(new DesiredModels(last, before.byDefault, before.models));
            next.requireThatAnOrderFits(repository, device);
            next.write(directory, device);
            return next;
        });
    }

    /** The same set, every wish said anew under an order of this number. */
    static DesiredModels anew(Optional<String> byDefault, SortedMap<String, Wish> models, long number) {
        SortedMap<String, Wish> said = new TreeMap<>();
        models.forEach((model, wish) -> said.put(model, wish.since(number)));
        return new DesiredModels(number, byDefault, said);
    }

    /** Desires this set of the device; to be called exclusively, after {@link #requireThatAnOrderFits}. */
    void write(FleetDirectory directory, String device) throws IOException {
        FleetDirectory.replace(directory.desired(device), Json.write(toJson()));
    }

    /** What devices would refuse is refused here. */
    void requireThatAnOrderFits(FleetRepository repository, String device) throws IOException, RejectedException {
        Content content = content(repository);
        DirectorOrder order = DirectorOrder.answering(
                Binary.copyOf(new byte[DirectorOrder.NONCE_BYTES]),
                device,
                counter,
                Instant.EPOCH,
                Instant.EPOCH,
                content.files,
                content.terms);
        int bytes = Json.write(order.signedPart()).length + SIGNATURES_BYTES;
        if (bytes > TrustClient.MAX_ORDER_BYTES) {
            throw new RejectedException(
                    Code.CFG_INVALID,
                    "an order of these models would have " + bytes + " bytes, of which devices take "
                            + TrustClient.MAX_ORDER_BYTES + "; order fewer models, or sign smaller references");
        }
    }

    /** The same without terms of a rollout. */
    DesiredModels atOnce() {
        SortedMap<String, Wish> bare = new TreeMap<>();
        models.forEach((model, wish) ->
                bare.put(model, new Wish(wish.version, Optional.empty(), wish.since, wish.grace, wish.draft)));
        return new DesiredModels(counter, byDefault, bare);
    }

    /** {@code UPD-TARGET-UNKNOWN} where a release is not published. */
    Content content(FleetRepository repository) throws IOException, RejectedException {
        SortedMap<String, String> versions = new TreeMap<>();
        models.forEach((model, wish) -> versions.put(model, wish.version));
        List<FleetRepository.Release> releases = repository.releases(versions);
        List<TargetFile> files = new ArrayList<>();
        SortedMap<String, ModelTerms> terms = new TreeMap<>();
        for (FleetRepository.Release release : releases) {
            files.addAll(release.files());
            String model = release.model().model();
            Wish wish = Objects.requireNonNull(models.get(model));
            List<ModelTerms.Grace> stay = new ArrayList<>();
            for (GraceWish each : wish.grace) {
                // Devices fetch nothing for it: no patches, and a bundle carries no file of it.
                TargetFile older =
                        repository.release(model, each.version()).model().file();
                files.add(older);
                stay.add(new ModelTerms.Grace(older.path(), each.untilSeconds()));
            }
            terms.put(
                    model,
                    new ModelTerms(release.model().file().path(), byDefault.equals(Optional.of(model)), wish.rollout())
                            .since(wish.since)
                            .grace(stay));
        }
        models.forEach((model, wish) -> wish.draft
                .map(terms::get)
                .ifPresent(guessing -> terms.computeIfPresent(model, (any, own) -> own.draft(guessing.target()))));
        return new Content(releases, files, terms);
    }
}
