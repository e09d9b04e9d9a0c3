package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;

/**
 * A target of kind {@code delta}: a patch from one model file to another.
 *
 * @param file the patch as listed
 * @param blocks how the patch is cut for transport
 * @param model name of the model that it makes
 * @param version version that it makes; devices go by {@code result}
 * @param codec {@code hfd2}
 * @param base hash of the file that it applies to
 * @param result hash of the file that it makes
 * @param resultLength bytes of the file that it makes
 */
public record DeltaTarget(
        TargetFile file,
        BlockTree blocks,
        String model,
        String version,
        String codec,
        Sha256 base,
        Sha256 result,
        long resultLength) {
    private static final String KIND = "delta";

    /** Whether a target says that it is a patch. */
    public static boolean is(TargetFile file) {
        return CustomBlock.isKind(file, KIND);
    }

    /** Reads the signed custom block; refuses what is absent or out of range with {@code UPD-FORMAT}. */
    public static Verdict<DeltaTarget> of(TargetFile file) {
        return Verdict.of(() -> {
            Fields custom = CustomBlock.read(file, KIND);
            return new DeltaTarget(
                    file,
                    BlockTree.read(custom, file.length()),
                    custom.text("model", ModelName.MAX_CHARS),
                    custom.text("version", ModelName.MAX_CHARS),
                    custom.text("codec", 32),
                    custom.sha256("base"),
                    custom.sha256("result"),
                    custom.integer("resultLength", 0));
        });
    }

    /** The custom block, as {@link #of} reads it. What {@code file} carries of it is not looked at. */
    public ObjectNode toCustom() {
        ObjectNode custom = CustomBlock.begin(KIND)
                .put("model", model)
                .put("version", version)
                .put("codec", codec)
                .put("base", base.hex())
                .put("result", result.hex())
                .put("resultLength", resultLength);
        blocks.put(custom);
        return custom;
    }

    /** The target to sign: {@code file} with the custom block that says all this. */
    public TargetFile listed() {
        return new TargetFile(file.path(), file.length(), file.hashes(), toCustom());
    }
}
