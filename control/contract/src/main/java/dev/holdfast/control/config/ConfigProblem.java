package dev.holdfast.control.config;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.nio.file.Path;

/**
 * One thing that is wrong with a configuration.
 *
 * @param file where it is
 * @param at the place in the file; {@link TomlPositions.At#START} where the whole is meant
 * @param key the key; empty where none can be named
 * @param detail what is wrong and what to do
 */
public record ConfigProblem(Path file, TomlPositions.At at, String key, String detail) {
    /** {@code FILE:LINE:COLUMN: KEY: detail}, as compilers write it. */
    @Override
    public String toString() {
        return file + ":" + at + ": " + (key.isEmpty() ? "" : key + ": ") + detail;
    }

    /** The same as a refusal; {@code more} others are only counted. */
    Rejection rejection(int more) {
        String place = file.getFileName() + ":" + at + ": ";
        String others = more == 0 ? "" : "; and " + more + " more: holdfast config check " + file + " names all";
        return Rejection.ofField(Code.CFG_INVALID, key, place + (key.isEmpty() ? "" : key + " ") + detail + others);
    }
}
