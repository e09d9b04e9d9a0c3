package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;

/**
 * A model in the store, as {@code serving.json} and the control socket name it. The file's path is always derived from
 * the digest; {@code target} is only the name under which it was signed.
 *
 * @param model the model's name, such as {@code intent}
 * @param length bytes of the file
 */
public record SlotDescription(
        String target,
        String model,
        String version,
        long release,
        long epoch,
        Sha256 digest,
        long length,
        ChatTemplate template,
        GateRules gate) {
    private static final int MAX_TARGET_CHARS = 512;
    private static final int MAX_NAME_CHARS = 128;

    /** Reads a SLOT object; fields that later versions add are passed over. */
    public static Verdict<SlotDescription> read(JsonNode node) {
        return Verdict.of(() -> {
            Fields fields = new Fields(node);
            return new SlotDescription(
                    fields.text("target", MAX_TARGET_CHARS),
                    fields.text("model", MAX_NAME_CHARS),
                    fields.text("version", MAX_NAME_CHARS),
                    fields.whole("release", 0, Long.MAX_VALUE, null),
                    fields.whole("epoch", 0, Long.MAX_VALUE, null),
                    fields.digest("digest"),
                    fields.whole("length", 1, Long.MAX_VALUE, null),
                    ChatTemplate.read(fields.object("template")).orThrow(),
                    GateRules.read(fields.object("gate")).orThrow());
        });
    }

    /** {@code intent@1.0.0}: the name in answers. */
    public String id() {
        return model + "@" + version;
    }

    /** {@code sha256:} and the first 16 digits of the digest. */
    public String fingerprint() {
        return "sha256:" + digest.hex().substring(0, 16);
    }
}
