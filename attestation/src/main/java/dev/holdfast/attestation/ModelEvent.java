package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/**
 * A model enters service, or leaves it; or a release of it begins or ends to answer to its pinned name beside that.
 *
 * @param kind what happens
 * @param model the model's name
 * @param version its version
 * @param digest SHA-256 of the model file as mapped
 * @param authority the key id of the update anchor under which it was published, at most {@value #MAX_AUTHORITY_BYTES} bytes
 * @param target the target's path in the signed metadata; empty where nothing signed has these bytes
 * @param release counter of the model's releases
 * @param epoch its security epoch
 * @param template {@code CanonicalJson.digest} of the chat template as signed
 * @param gate the same of the health gate
 * @param tokenizer SHA-256 of the model file's tokenizer, as the process that parsed it reports; absent where it did not
 */
public record ModelEvent(
        Kind kind,
        String model,
        String version,
        Sha256 digest,
        Binary authority,
        String target,
        long release,
        long epoch,
        Sha256 template,
        Sha256 gate,
        Optional<Sha256> tokenizer) {
    public static final int MAX_TEXT_CHARS = 256;
    public static final int MAX_AUTHORITY_BYTES = 64;

    /** What happens to the model. */
    public enum Kind {
        /** It enters service as an update. */
        SERVE("model-serve"),
        /** It enters service as the return to an earlier release. */
        ROLLBACK("model-rollback"),
        /** It leaves service, and no other release takes its place; no release of it is in its grace any more. */
        RETIRE("model-retire"),
        /** It answers to its pinned name, whatever else is in service: it is in its grace. */
        GRACE("model-grace"),
        /** It does so no more. */
        GRACE_END("model-grace-end");

        private final String type;

        Kind(String type) {
            this.type = type;
        }

        String type() {
            return type;
        }

        /** Whether it is about a release in its grace. */
        public boolean isOfGrace() {
            return this == GRACE || this == GRACE_END;
        }

        /** Whether a release answers requests from then on. */
        boolean begins() {
            return this != RETIRE && this != GRACE_END;
        }

        static Optional<Kind> ofType(String type) {
            return Arrays.stream(values())
                    .filter(kind -> kind.type.equals(type))
                    .findFirst();
        }
    }

    public ModelEvent {
        if (!ModelName.isName(model) || !ModelName.isName(version)) {
            throw new IllegalArgumentException("not the name of a model or of a version");
        }
        if (target.length() > MAX_TEXT_CHARS) {
            throw new IllegalArgumentException("a text longer than " + MAX_TEXT_CHARS + " characters");
        }
        if (authority.length() > MAX_AUTHORITY_BYTES || release < 0 || epoch < 0) {
            throw new IllegalArgumentException("authority, release or epoch out of range");
        }
    }

    /** Names what serves: the same bytes with another template, gate, release or epoch are another slot. */
    public SlotId slot() {
        return SlotId.of(target, release, epoch, digest, template, gate);
    }

    /**
     * What the log knows by its last event: a model, and beside it each release of it in its grace. In the order of these texts a model
     * comes before its releases in their grace, and those before the next model.
     */
    public String place() {
        return kind.isOfGrace() ? grace(model, slot()) : model;
    }

    /** {@link #place} of a release in its grace; the space comes before every character of a name. */
    static String grace(String model, SlotId slot) {
        return grace(model) + slot.hex();
    }

    private static String grace(String model) {
        return model + ' ';
    }

    /** Changes what is in service as this event does: {@code last} holds the last event of each {@link #place}. */
    public void applyTo(Map<String, ModelEvent> last) {
        switch (kind) {
            case SERVE, ROLLBACK, GRACE -> last.put(place(), this);
            case GRACE_END -> last.remove(place());
            case RETIRE -> last.keySet().removeIf(place -> place.equals(model) || place.startsWith(grace(model)));
        }
    }

    /** The same release, for another reason. */
    public ModelEvent as(Kind other) {
        return new ModelEvent(
                other, model, version, digest, authority, target, release, epoch, template, gate, tokenizer);
    }
}
