package dev.holdfast.attestation;

import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.ArrayList;
import java.util.List;

/** The two claims of {@link EvidenceClaims} that speak of models, which are arrays of the same length and order. */
final class ModelClaims {
    /** Of the range for experiments (RFC 9876), until the number of application/measured-component+cbor is settled. */
    private static final long MEASURED_COMPONENT = 65000;
    /** version-scheme semver (RFC 9393, 4.1). */
    private static final long SEMVER = 16384;

    private static final int RELEASE_FIELDS = 9;
    private static final int MAX_ENTRIES = EventLog.MAX_NAMED + EventLog.MAX_GRACED;

    private ModelClaims() {}

    /** [type, measured-component (RFC 10013): 1 id [name, [version, scheme]], 2 digest [alg, value], 3 authorities]. */
    static Cbor measurement(Measured measured) {
        ModelEvent event = measured.event();
        byte[] component = CborWriter.write(Cbor.dict()
                .put(1, Cbor.array(Cbor.of(event.model()), Cbor.array(Cbor.of(event.version()), Cbor.of(SEMVER))))
                .put(2, Cbor.array(Cbor.of("sha-256"), Cbor.of(event.digest().value())))
                .put(3, Cbor.array(Cbor.of(event.authority())))
                .build());
        return Cbor.array(Cbor.of(MEASURED_COMPONENT), Cbor.of(component));
    }

    /** [slot, release, epoch, template, gate, target, event type, tokenizer, state]. */
    static Cbor release(Measured measured) {
        ModelEvent event = measured.event();
        return Cbor.array(
                Cbor.of(event.slot().value().value()),
                Cbor.of(event.release()),
                Cbor.of(event.epoch()),
                Cbor.of(event.template().value()),
                Cbor.of(event.gate().value()),
                Cbor.of(event.target()),
                Cbor.of(event.kind().type()),
                Cbor.of(Event.tokenizer(event)),
                Cbor.of(measured.state().name()));
    }

    /** Reads both claims; the slot is for the caller to compare, who writes again what was read. */
    static List<Measured> parse(Cbor measurements, Cbor releases) throws RejectedException {
        if (!(releases instanceof Cbor.Array(List<Cbor> more)) || more.size() > MAX_ENTRIES) {
            throw EvidenceClaims.malformed("an array of at most " + MAX_ENTRIES + " models is expected");
        }
        List<Cbor> components = Claim.array(measurements, more.size());
        List<Measured> models = new ArrayList<>();
        for (int i = 0; i < more.size(); i++) {
            Measured next = model(components.get(i), Claim.array(more.get(i), RELEASE_FIELDS));
            if (i > 0
                    && models.get(i - 1).event().place().compareTo(next.event().place()) >= 0) {
                throw EvidenceClaims.malformed("the models are not in the order of their names, each once");
            }
            models.add(next);
        }
        long graced =
                models.stream().filter(each -> each.event().kind().isOfGrace()).count();
        if (graced > EventLog.MAX_GRACED || models.size() - graced > EventLog.MAX_NAMED) {
            throw EvidenceClaims.malformed("at most " + EventLog.MAX_NAMED + " models and " + EventLog.MAX_GRACED
                    + " releases in their grace are expected");
        }
        // Either the process answered, or it did not.
        if (models.stream()
                        .map(each -> each.state() == Serving.UNKNOWN)
                        .distinct()
                        .count()
                > 1) {
            throw EvidenceClaims.malformed("some models are " + Serving.UNKNOWN + " and some not");
        }
        return models;
    }

    private static Measured model(Cbor measurement, List<Cbor> release) throws RejectedException {
        Claim component = new Claim(Claim.dict(CborReader.read(
                        Claim.bytes(Claim.array(measurement, 2).get(1), 1, Event.MAX_BYTES)
                                .toArray(),
                        Event.MAX_BYTES)
                .orThrow()));
        List<Cbor> id = component.array(1, 2);
        List<Cbor> digest = component.array(2, 2);
        ModelEvent event = new ModelEvent(
                kind(Claim.text(release.get(6))),
                name(id.get(0)),
                name(Claim.array(id.get(1), 2).get(0)),
                sha256(digest.get(1)),
                Claim.bytes(component.array(3, 1).get(0), 0, ModelEvent.MAX_AUTHORITY_BYTES),
                Claim.text(release.get(5)),
                Claim.number(release.get(1), Long.MAX_VALUE),
                Claim.number(release.get(2), Long.MAX_VALUE),
                sha256(release.get(3)),
                sha256(release.get(4)),
                Event.tokenizer(Claim.bytes(release.get(7), 0, Sha256.BYTES)));
        return new Measured(event, EvidenceClaims.constant(Serving.values(), Claim.text(release.get(8))));
    }

    private static ModelEvent.Kind kind(String type) throws RejectedException {
        return ModelEvent.Kind.ofType(type)
                .filter(ModelEvent.Kind::begins)
                .orElseThrow(() -> EvidenceClaims.malformed("event type " + type));
    }

    private static String name(Cbor item) throws RejectedException {
        String name = Claim.text(item);
        if (!ModelName.isName(name)) {
            throw EvidenceClaims.malformed("not the name of a model or of a version");
        }
        return name;
    }

    private static Sha256 sha256(Cbor item) throws RejectedException {
        return new Sha256(Claim.bytes(item, Sha256.BYTES, Sha256.BYTES));
    }
}
