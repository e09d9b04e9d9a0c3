package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;

/** Reads the signed {@code custom} block of the two kinds of target. */
public final class CustomBlock {
    private CustomBlock() {}

    public static boolean isKind(TargetFile file, String kind) {
        JsonNode value = file.custom().get("kind");
        return value != null && value.isTextual() && value.textValue().equals(kind);
    }

    public static Verdict<ModelTarget> model(TargetFile file) {
        return Verdict.of(() -> {
            Fields custom = kind(file, "model");
            BlockTree blocks = blocks(custom, file.length());
            long memoryBytes = custom.has("needs") ? custom.object("needs").integer("memoryBytes", 0) : 0;
            List<Companion> companions = new ArrayList<>();
            for (Companion.Kind about : Companion.Kind.values()) {
                Companion.read(about, file).ifPresent(companions::add);
            }
            return new ModelTarget(
                    file,
                    blocks,
                    custom.text("model", ModelName.MAX_CHARS),
                    custom.text("version", ModelName.MAX_CHARS),
                    custom.integer("release", 0),
                    custom.integer("epoch", 0),
                    custom.object("template").node(),
                    custom.object("gate").node(),
                    custom.text("minAgent", 32),
                    memoryBytes,
                    companions);
        });
    }

    public static Verdict<DeltaTarget> delta(TargetFile file) {
        return Verdict.of(() -> {
            Fields custom = kind(file, "delta");
            return new DeltaTarget(
                    file,
                    blocks(custom, file.length()),
                    custom.text("codec", 32),
                    custom.sha256("base"),
                    custom.sha256("result"),
                    custom.integer("resultLength", 0));
        });
    }

    private static Fields kind(TargetFile file, String kind) throws RejectedException {
        if (!isKind(file, kind)) {
            throw new RejectedException(Code.UPD_FORMAT, file.path() + " is not of kind " + kind);
        }
        return Fields.of(file.custom(), Code.UPD_FORMAT);
    }

    static BlockTree blocks(Fields custom, long length) throws RejectedException {
        Fields blocks = custom.object("blocks");
        long bytes = blocks.integer("bytes", BlockTree.MIN_BYTES);
        if (bytes > BlockTree.MAX_BYTES || length / bytes >= Integer.MAX_VALUE) {
            throw new RejectedException(Code.UPD_FORMAT, "blocks of " + bytes + " bytes");
        }
        return new BlockTree((int) bytes, blocks.sha256("root"));
    }
}
