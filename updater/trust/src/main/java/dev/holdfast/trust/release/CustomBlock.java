package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;

/** What the signed {@code custom} blocks of all targets have in common: they say of what kind they are. */
final class CustomBlock {
    private static final String KIND_FIELD = "kind";

    private CustomBlock() {}

    static boolean isKind(TargetFile file, String kind) {
        JsonNode value = file.custom().get(KIND_FIELD);
        return value != null && value.isTextual() && value.textValue().equals(kind);
    }

    /** The block's fields; {@code UPD-FORMAT} where it is of another kind. */
    static Fields read(TargetFile file, String kind) throws RejectedException {
        if (!isKind(file, kind)) {
            throw new RejectedException(Code.UPD_FORMAT, file.path() + " is not of kind " + kind);
        }
        return Fields.of(file.custom(), Code.UPD_FORMAT);
    }

    /** A block that says its kind and nothing else yet. */
    static ObjectNode begin(String kind) {
        return Json.object().put(KIND_FIELD, kind);
    }
}
