package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What the log records. Its content is deterministic CBOR with the type inside, and the digest is over the whole
 * content, so neither type nor data can be relabelled under the same digest. There are no events that a verifier may
 * skip: a type that it does not know fails the appraisal, or leaves it a warning where the policy allows a newer agent.
 */
public sealed interface Event {
    /** Longest content that is written or read: a target of {@link ModelEvent#MAX_TEXT_CHARS} at three bytes each fits twice. */
    int MAX_BYTES = 4096;

    /** Of a type or a field of a newer agent. */
    int MAX_UNKNOWN_CHARS = 64;

    /** The fields of an {@code agent-start}. */
    Set<String> START_FIELDS = Set.of("type", "name", "version");

    /** The fields of every {@link Model}. */
    Set<String> MODEL_FIELDS = Set.of(
            "type",
            "model",
            "version",
            "digest",
            "authority",
            "target",
            "release",
            "epoch",
            "template",
            "gate",
            "tokenizer",
            "slot");

    /** A register after a start of the TEE. */
    Sha256 ZERO = new Sha256(Binary.copyOf(new byte[Sha256.BYTES]));

    /** The agent started. */
    record AgentStart(String name, String version) implements Event {
        public AgentStart {
            if (name.length() > ModelEvent.MAX_TEXT_CHARS || version.length() > ModelEvent.MAX_TEXT_CHARS) {
                throw new IllegalArgumentException("a text longer than " + ModelEvent.MAX_TEXT_CHARS + " characters");
            }
        }
    }

    /** A model entered service or left it, or a release of it its grace. */
    record Model(ModelEvent event) implements Event {}

    /** The event's content: what is hashed, logged and sent. */
    default Binary content() {
        return Binary.copyOf(
                switch (this) {
                    case AgentStart(String name, String version) ->
                        CborWriter.write(Cbor.dict()
                                .put("type", Cbor.of("agent-start"))
                                .put("name", Cbor.of(name))
                                .put("version", Cbor.of(version))
                                .build());
                    case Model(ModelEvent e) ->
                        CborWriter.write(Cbor.dict()
                                .put("type", Cbor.of(e.kind().type()))
                                .put("model", Cbor.of(e.model()))
                                .put("version", Cbor.of(e.version()))
                                .put("digest", Cbor.of(e.digest().value()))
                                .put("authority", Cbor.of(e.authority()))
                                .put("target", Cbor.of(e.target()))
                                .put("release", Cbor.of(e.release()))
                                .put("epoch", Cbor.of(e.epoch()))
                                .put("template", Cbor.of(e.template().value()))
                                .put("gate", Cbor.of(e.gate().value()))
                                .put("tokenizer", Cbor.of(tokenizer(e)))
                                .put("slot", Cbor.of(e.slot().value().value()))
                                .build());
                });
    }

    /** What is extended into the register. */
    static Sha256 digest(Binary content) {
        return Sha256.of(content.toArray());
    }

    /** The register after {@code digest} was extended into it. */
    static Sha256 extend(Sha256 register, Sha256 digest) {
        return Sha256.of(register.toArray(), digest.toArray());
    }

    /** Reads content strictly: a known type with exactly its fields. */
    static Verdict<Event> parse(Binary content) {
        return Verdict.of(() -> {
            Cbor.Fields fields =
                    Cbor.Fields.of(CborReader.read(content.toArray(), MAX_BYTES).orThrow());
            String type = fields.text("type", ModelEvent.MAX_TEXT_CHARS);
            if (type.equals("agent-start")) {
                only(fields, START_FIELDS);
                return new AgentStart(text(fields, "name"), text(fields, "version"));
            }
            ModelEvent.Kind kind = ModelEvent.Kind.ofType(type)
                    .orElseThrow(() -> new RejectedException(Code.ATT_EVENT, "event type " + type));
            only(fields, MODEL_FIELDS);
            return new Model(model(kind, fields));
        });
    }

    /**
     * What a newer agent may have logged.
     *
     * @param event what is known of it; empty where its type is not
     * @param unknown its type where that is not known, and otherwise each field that this version does not have
     */
    record Newer(Optional<Event> event, List<String> unknown) {}

    /** Reads content of a newer agent: fields and types that are not known are named, and all else is read as strictly. */
    static Verdict<Newer> parseNewer(Binary content) {
        return Verdict.of(() -> {
            Cbor.Fields fields =
                    Cbor.Fields.of(CborReader.read(content.toArray(), MAX_BYTES).orThrow());
            String type = fields.text("type", MAX_UNKNOWN_CHARS);
            if (type.equals("agent-start")) {
                return new Newer(
                        Optional.of(new AgentStart(text(fields, "name"), text(fields, "version"))),
                        unknown(type, fields, START_FIELDS));
            }
            Optional<ModelEvent.Kind> kind = ModelEvent.Kind.ofType(type);
            return kind.isEmpty()
                    ? new Newer(Optional.empty(), List.of(type))
                    : new Newer(Optional.of(new Model(model(kind.get(), fields))), unknown(type, fields, MODEL_FIELDS));
        });
    }

    private static List<String> unknown(String type, Cbor.Fields fields, Set<String> known) throws RejectedException {
        List<String> unknown = new ArrayList<>();
        for (Cbor key : fields.dict().entries().keySet()) {
            if (!(key instanceof Cbor.Text(String name)) || name.length() > MAX_UNKNOWN_CHARS) {
                throw new RejectedException(Code.ATT_EVENT, "a field without a name");
            }
            if (!known.contains(name)) {
                unknown.add(type + "." + name);
            }
        }
        return unknown;
    }

    private static ModelEvent model(ModelEvent.Kind kind, Cbor.Fields fields) throws RejectedException {
        ModelEvent event = new ModelEvent(
                kind,
                name(fields, "model"),
                name(fields, "version"),
                fields.sha256("digest"),
                fields.bytes("authority", 0, ModelEvent.MAX_AUTHORITY_BYTES),
                text(fields, "target"),
                fields.integer("release", 0, Long.MAX_VALUE),
                fields.integer("epoch", 0, Long.MAX_VALUE),
                fields.sha256("template"),
                fields.sha256("gate"),
                tokenizer(fields.bytes("tokenizer", 0, Sha256.BYTES)));
        if (!event.slot().value().equals(fields.sha256("slot"))) {
            throw new RejectedException(Code.ATT_EVENT, "the slot is not the one of this release");
        }
        return event;
    }

    /** Absent is empty. */
    static Binary tokenizer(ModelEvent event) {
        return event.tokenizer().map(Sha256::value).orElse(Binary.empty());
    }

    static Optional<Sha256> tokenizer(Binary value) throws RejectedException {
        if (value.length() != 0 && value.length() != Sha256.BYTES) {
            throw new RejectedException(Code.ATT_EVENT, "a tokenizer digest has 0 or 32 bytes");
        }
        return value.length() == 0 ? Optional.empty() : Optional.of(new Sha256(value));
    }

    private static String name(Cbor.Fields fields, String key) throws RejectedException {
        String name = text(fields, key);
        if (!ModelName.isName(name)) {
            throw new RejectedException(Code.ATT_EVENT, key + " is not a name");
        }
        return name;
    }

    private static String text(Cbor.Fields fields, String key) throws RejectedException {
        return fields.text(key, ModelEvent.MAX_TEXT_CHARS);
    }

    private static void only(Cbor.Fields fields, Set<String> known) throws RejectedException {
        for (Cbor key : fields.dict().entries().keySet()) {
            if (!(key instanceof Cbor.Text(String name)) || !known.contains(name)) {
                throw new RejectedException(Code.ATT_EVENT, "a field that this event does not have");
            }
        }
    }
}
