package dev.holdfast.gguf;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the head of a GGUF file says: metadata and tensor table, checked against each other and the file's length.
 * Immutable. Array values are views on the mapped file and live only as long as its arena.
 *
 * @param metadata keys in file order
 * @param tensors the tensor table in file order
 * @param alignment the alignment of tensor data in bytes
 * @param dataOffset where tensor data begins
 * @param length the length of the whole file
 */
public record GgufFile(
        Map<String, GgufValue> metadata, List<GgufTensor> tensors, int alignment, long dataOffset, long length) {
    public GgufFile {
        metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
        tensors = List.copyOf(tensors);
    }

    /** The tensor of this name, if the file has it. */
    public Optional<GgufTensor> tensor(String name) {
        return tensors.stream().filter(tensor -> tensor.name().equals(name)).findFirst();
    }

    /** A text value, or {@code absent} where the key is missing. */
    public Verdict<String> text(String key, @Nullable String absent) {
        GgufValue value = metadata.get(key);
        if (value instanceof GgufValue.Text(String text)) {
            return Verdict.accepted(text);
        }
        return value == null && absent != null ? Verdict.accepted(absent) : wrong(key, "a text", value);
    }

    /** A whole number within bounds, or {@code absent} (which may be outside them) where the key is missing. */
    public Verdict<Long> whole(String key, long min, long max, @Nullable Long absent) {
        GgufValue value = metadata.get(key);
        if (value instanceof GgufValue.Whole(GgufType type, long number)) {
            return number >= min && number <= max
                    ? Verdict.accepted(number)
                    : Verdict.rejected(Code.GGUF_LIMIT, key + " is " + number + ", allowed " + min + " to " + max);
        }
        return value == null && absent != null ? Verdict.accepted(absent) : wrong(key, "a whole number", value);
    }

    /** A finite number, or {@code absent} where the key is missing. */
    public Verdict<Double> real(String key, @Nullable Double absent) {
        GgufValue value = metadata.get(key);
        if (value instanceof GgufValue.Real(GgufType type, double number) && Double.isFinite(number)) {
            return Verdict.accepted(number);
        }
        return value == null && absent != null ? Verdict.accepted(absent) : wrong(key, "a finite number", value);
    }

    /** A flag, or {@code absent} where the key is missing. */
    public Verdict<Boolean> flag(String key, boolean absent) {
        GgufValue value = metadata.get(key);
        if (value instanceof GgufValue.Flag(boolean flag)) {
            return Verdict.accepted(flag);
        }
        return value == null ? Verdict.accepted(absent) : wrong(key, "a flag", value);
    }

    /** An array of strings. */
    public Verdict<GgufValue.Texts> texts(String key) {
        GgufValue value = metadata.get(key);
        return value instanceof GgufValue.Texts texts
                ? Verdict.accepted(texts)
                : wrong(key, "an array of texts", value);
    }

    /** An array of numbers. */
    public Verdict<GgufValue.Numbers> numbers(String key) {
        GgufValue value = metadata.get(key);
        return value instanceof GgufValue.Numbers numbers
                ? Verdict.accepted(numbers)
                : wrong(key, "an array of numbers", value);
    }

    private static <T> Verdict<T> wrong(String key, String expected, @Nullable GgufValue found) {
        return Verdict.rejected(
                Code.GGUF_FORMAT, key + " is " + (found == null ? "missing" : kind(found)) + ", not " + expected);
    }

    private static String kind(GgufValue value) {
        return switch (value) {
            case GgufValue.Whole whole -> "a whole number";
            case GgufValue.Real(GgufType type, double number) ->
                Double.isFinite(number) ? "a number with a fraction" : "no number";
            case GgufValue.Flag flag -> "a flag";
            case GgufValue.Text text -> "a text";
            case GgufValue.Numbers numbers -> "a list of numbers";
            case GgufValue.Texts texts -> "a list of texts";
        };
    }
}
