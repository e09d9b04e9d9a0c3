package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.time.Instant;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a Director signs for one device, as it travels: not yet compared with what the Image repository lists. An {@link Order} is
 * what comes of it.
 *
 * @param device the device that it is for
 * @param version the order's number; the same number means the same order
 * @param issuedSeconds when it was made, in seconds since 1970: what raises a device's trusted time; 0 where not said
 * @param expires when it stops to be valid
 * @param nonce the device's question; empty for a device that cannot ask: then the order is good until it expires, as often as it is
 *     brought
 * @param files the targets that the models below name, in the words of the Image repository
 * @param models what the device shall run, by name of the model; whatever else it runs is retired
 * @param leaseSeconds how long after the fleet's last fresh word the device may serve; reserved
 */
public record DirectorOrder(
        String device,
        long version,
        long issuedSeconds,
        Instant expires,
        Optional<Binary> nonce,
        List<TargetFile> files,
        SortedMap<String, ModelTerms> models,
        Optional<Long> leaseSeconds) {
    /** Length of a device's nonce. */
    public static final int NONCE_BYTES = 32;

    private static final String DEVICE_FIELD = "device";
    private static final String ISSUED_FIELD = "issued";
    private static final String NONCE_FIELD = "nonce";
    private static final String MODELS_FIELD = "models";
    private static final String LEASE_FIELD = "lease";
    /** Stands in an order in place of a nonce. */
    private static final String OFFLINE_FIELD = "offline";

    public DirectorOrder {
        files = List.copyOf(files);
        models = Collections.unmodifiableSortedMap(new TreeMap<>(models));
    }

    /** An answer to one device's nonce. */
    public static DirectorOrder answering(
            Binary nonce,
            String device,
            long version,
            Instant issued,
            Instant expires,
            Collection<TargetFile> files,
            SortedMap<String, ModelTerms> models) {
        return new DirectorOrder(
                device,
                version,
                issued.getEpochSecond(),
                expires,
                Optional.of(nonce),
                List.copyOf(files),
                models,
                Optional.empty());
    }

    /** An order for a device that cannot ask. */
    public static DirectorOrder offline(
            String device,
            long version,
            Instant issued,
            Instant expires,
            Collection<TargetFile> files,
            SortedMap<String, ModelTerms> models) {
        return new DirectorOrder(
                device,
                version,
                issued.getEpochSecond(),
                expires,
                Optional.empty(),
                List.copyOf(files),
                models,
                Optional.empty());
    }

    /** The one model among {@code files} as all that the device shall run, on these terms; none where no file is a model. */
    public static SortedMap<String, ModelTerms> only(Collection<TargetFile> files, Optional<Rollout> rollout)
            throws RejectedException {
        SortedMap<String, ModelTerms> models = new TreeMap<>();
        for (TargetFile file : files) {
            if (ModelTarget.is(file)) {
                ModelTarget model = ModelTarget.of(file).orThrow();
                models.put(model.model(), new ModelTerms(file.path(), true, rollout));
            }
        }
        if (models.size() != 1) {
            throw new RejectedException(Code.UPD_FORMAT, "an order without models names one, not " + models.size());
        }
        return models;
    }

    /** The part that is signed, as {@link #read} reads it. */
    public ObjectNode signedPart() {
        ObjectNode signed = Envelope.head(RootDocument.DIRECTOR, version, expires)
                .put(DEVICE_FIELD, device)
                .put(ISSUED_FIELD, issuedSeconds);
        nonce.ifPresentOrElse(asked -> signed.put(NONCE_FIELD, asked.hex()), () -> signed.put(OFFLINE_FIELD, true));
        TargetsRole.put(signed, files);
        ObjectNode named = signed.putObject(MODELS_FIELD);
        models.forEach((name, terms) -> named.set(name, terms.toJson()));
        leaseSeconds.ifPresent(seconds -> signed.putObject(LEASE_FIELD).put("seconds", seconds));
        return signed;
    }

    /** Reads the signed part; {@code UPD-FORMAT}, or {@code UPD-DIRECTOR-NONCE} where it answers nobody and is not for offline use. */
    public static DirectorOrder read(Envelope envelope) throws RejectedException {
        Fields signed = envelope.signed();
        Optional<Binary> nonce = nonce(signed);
        if (nonce.isEmpty() && !signed.node().path(OFFLINE_FIELD).asBoolean(false)) {
            throw new RejectedException(Code.UPD_DIRECTOR_NONCE, "no nonce, and not signed for offline use");
        }
        List<TargetFile> files = List.copyOf(TargetsRole.files(signed).values());
        return new DirectorOrder(
                signed.text(DEVICE_FIELD, Envelope.MAX_NAME_CHARS),
                envelope.version(),
                signed.has(ISSUED_FIELD) ? signed.integer(ISSUED_FIELD, 0) : 0,
                envelope.expires(),
                nonce,
                files,
                models(signed, files, envelope.version()),
                signed.has(LEASE_FIELD)
                        ? Optional.of(signed.object(LEASE_FIELD).integer("seconds", 1))
                        : Optional.empty());
    }

    /** An order of the time before several models named one by its targets alone, with the terms beside them. */
    private static SortedMap<String, ModelTerms> models(Fields signed, List<TargetFile> files, long version)
            throws RejectedException {
        if (!signed.has(MODELS_FIELD)) {
            return only(
                    files,
                    signed.has(Rollout.FIELD)
                            ? Optional.of(Rollout.of(signed.object(Rollout.FIELD)))
                            : Optional.empty());
        }
        Fields named = signed.object(MODELS_FIELD);
        if (named.node().size() > ModelName.MAX_MODELS) {
            throw named.wrong(MODELS_FIELD, "at most " + ModelName.MAX_MODELS + " models");
        }
        SortedMap<String, ModelTerms> models = new TreeMap<>();
        for (Iterator<String> names = named.node().fieldNames(); names.hasNext(); ) {
            String name = names.next();
            ModelTerms terms = ModelTerms.read(named.object(name));
            if (terms.since() > version) {
                throw new RejectedException(Code.UPD_FORMAT, name + " is ordered since an order to come");
            }
            models.put(name, terms);
        }
        requireWhole(models, files);
        return models;
    }

    /** Every model is there under its own name, one of them is the default, and no model is there for nothing. */
    private static void requireWhole(SortedMap<String, ModelTerms> models, List<TargetFile> files)
            throws RejectedException {
        if (models.values().stream().filter(ModelTerms::byDefault).count() != (models.isEmpty() ? 0 : 1)) {
            throw new RejectedException(Code.UPD_FORMAT, "one of the models must be the default");
        }
        Set<String> named = new HashSet<>();
        models.values().forEach(terms -> named.addAll(terms.targets()));
        Set<String> listed = new HashSet<>();
        for (TargetFile file : files) {
            listed.add(file.path());
            if (ModelTarget.is(file) && !named.contains(file.path())) {
                throw new RejectedException(Code.UPD_FORMAT, file.path() + " is a target that no model names");
            }
        }
        if (!listed.containsAll(named)) {
            named.removeAll(listed);
            throw new RejectedException(Code.UPD_FORMAT, "not among the targets: " + named);
        }
        for (var entry : models.entrySet()) {
            Set<String> releases = releases(entry.getValue());
            for (TargetFile file : files) {
                if (releases.contains(file.path())) {
                    requireModel(entry.getKey(), file);
                }
            }
        }
    }

    /** The release that is to serve, and those that stay for a while. */
    private static Set<String> releases(ModelTerms terms) throws RejectedException {
        Set<String> paths = new HashSet<>(Set.of(terms.target()));
        for (ModelTerms.Grace each : terms.grace()) {
            if (!paths.add(each.target())) {
                throw new RejectedException(Code.UPD_FORMAT, each.target() + " is named twice");
            }
        }
        return paths;
    }

    private static void requireModel(String name, TargetFile file) throws RejectedException {
        if (!ModelTarget.of(file).orThrow().model().equals(name)) {
            throw new RejectedException(Code.UPD_FORMAT, file.path() + " is not a release of " + name);
        }
    }

    /** The target at this path. */
    public Optional<TargetFile> file(String path) {
        return files.stream().filter(file -> file.path().equals(path)).findFirst();
    }

    private static Optional<Binary> nonce(Fields signed) throws RejectedException {
        if (!signed.has(NONCE_FIELD)) {
            return Optional.empty();
        }
        if (Binary.fromHex(signed.text(NONCE_FIELD, 2 * NONCE_BYTES))
                instanceof Verdict.Accepted<Binary>(Binary asked)) {
            return Optional.of(asked);
        }
        throw new RejectedException(Code.UPD_DIRECTOR_NONCE, "the nonce is not hexadecimal");
    }
}
