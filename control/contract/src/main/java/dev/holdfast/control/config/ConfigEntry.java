package dev.holdfast.control.config;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;

/**
 * A value that a file has.
 *
 * @param at where it begins
 * @param dropIn whether the file is a drop-in
 */
public record ConfigEntry(JsonNode value, Path file, TomlPositions.At at, boolean dropIn) {
    ConfigProblem problem(String key, String detail) {
        return new ConfigProblem(file, at, key, detail);
    }

    /** {@code FILE:LINE}. */
    public String place() {
        return file + ":" + at.line();
    }
}
