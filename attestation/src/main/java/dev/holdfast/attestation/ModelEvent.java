package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.util.Optional;

/**
 * A model enters service.
 *
 * @param kind whether it is an update or the return to an earlier model
 * @param model the model's name, at most {@value #MAX_TEXT_CHARS} characters
 * @param version its version
 * @param digest SHA-256 of the model file as mapped
 * @param authority the key id of the update anchor under which it was published, at most 64 bytes
 * @param target the target's path in the signed metadata
 * @param epoch its security epoch
 * @param template SHA-256 of the chat template block as signed
 * @param tokenizer SHA-256 of the model file's tokenizer, as the process that parsed it reports; absent where it did not
 */
public record ModelEvent(
        Kind kind,
        String model,
        String version,
        Sha256 digest,
        Binary authority,
        String target,
        long epoch,
        Sha256 template,
        Optional<Sha256> tokenizer) {
    public static final int MAX_TEXT_CHARS = 256;
    public static final int MAX_AUTHORITY_BYTES = 64;

    /** Why the model enters service. */
    public enum Kind {
        SERVE("model-serve"),
        ROLLBACK("model-rollback");

        private final String type;

        Kind(String type) {
            this.type = type;
        }

        String type() {
            return type;
        }
    }

    public ModelEvent {
        if (model.length() > MAX_TEXT_CHARS || version.length() > MAX_TEXT_CHARS || target.length() > MAX_TEXT_CHARS) {
            throw new IllegalArgumentException("a text longer than " + MAX_TEXT_CHARS + " characters");
        }
        if (authority.length() > MAX_AUTHORITY_BYTES || epoch < 0) {
            throw new IllegalArgumentException("authority or epoch out of range");
        }
    }

    /** The same model, entering service for another reason. */
    public ModelEvent as(Kind other) {
        return new ModelEvent(other, model, version, digest, authority, target, epoch, template, tokenizer);
    }
}
