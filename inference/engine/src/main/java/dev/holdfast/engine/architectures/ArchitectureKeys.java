package dev.holdfast.engine.architectures;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufType;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The metadata keys of a file's architecture, without their prefix ({@code attention.head_count} for {@code
 * llama.attention.head_count}). It remembers which keys were read, so that {@link #allRead} can refuse a file that says something
 * that nobody computes. Belongs to one load.
 */
final class ArchitectureKeys {
    private static final double TOLERANCE = 1e-6;

    private final GgufFile file;
    private final String prefix;
    private final Set<String> read = new HashSet<>();

    private ArchitectureKeys(GgufFile file, String prefix) {
        this.file = file;
        this.prefix = prefix;
    }

    static ArchitectureKeys of(GgufFile file) throws RejectedException {
        return new ArchitectureKeys(
                file, file.text("general.architecture", null).orThrow() + ".");
    }

    GgufFile file() {
        return file;
    }

    private String key(String name) {
        read.add(name);
        return prefix + name;
    }

    private @Nullable GgufValue value(String name) {
        return file.metadata().get(prefix + name);
    }

    boolean has(String name) {
        return value(name) != null;
    }

    /** A size of at least one. */
    int size(String name, int max, @Nullable Integer absent) throws RejectedException {
        return (int) whole(name, 1, max, absent == null ? null : Long.valueOf(absent));
    }

    long whole(String name, long min, long max, @Nullable Long absent) throws RejectedException {
        return file.whole(key(name), min, max, absent).orThrow();
    }

    /** A size that a file gives once, or once for each layer; layers that differ are refused. */
    int sizeOfEachLayer(String name, int max, @Nullable Integer absent) throws RejectedException {
        if (!(value(name) instanceof GgufValue.Numbers list)) {
            return size(name, max, absent);
        }
        String key = key(name);
        wholes(name, list);
        for (int i = 1; i < list.size(); i++) {
            if (list.whole(i) != list.whole(0)) {
                throw new RejectedException(
                        Code.GGUF_UNSUPPORTED,
                        key + " differs between layers: " + list.whole(0) + " in layer 0, " + list.whole(i)
                                + " in layer " + i);
            }
        }
        if (list.whole(0) < 1 || list.whole(0) > max) {
            throw new RejectedException(Code.GGUF_LIMIT, key + " is " + list.whole(0) + ", allowed 1 to " + max);
        }
        return (int) list.whole(0);
    }

    /** A flag for each layer, as flags or as numbers that are not zero; null where the key is missing or no list. */
    boolean @Nullable [] flagOfEachLayer(String name) throws RejectedException {
        if (!(value(name) instanceof GgufValue.Numbers list)) {
            return null;
        }
        key(name);
        wholes(name, list);
        boolean[] flags = new boolean[list.size()];
        for (int i = 0; i < flags.length; i++) {
            flags[i] = list.whole(i) != 0;
        }
        return flags;
    }

    private void wholes(String name, GgufValue.Numbers list) throws RejectedException {
        int layers = size("block_count", ModelSizes.MAX_LAYERS, null);
        if (list.size() != layers) {
            throw new RejectedException(
                    Code.GGUF_FORMAT, prefix + name + " is a list of " + list.size() + " for " + layers + " layers");
        }
        if (list.type() == GgufType.FLOAT32 || list.type() == GgufType.FLOAT64) {
            throw new RejectedException(Code.GGUF_FORMAT, prefix + name + " is a list of fractions");
        }
    }

    double real(String name, @Nullable Double absent) throws RejectedException {
        return file.real(key(name), absent).orThrow();
    }

    double positive(String name, @Nullable Double absent) throws RejectedException {
        double value = real(name, absent);
        if (!(value > 0)) {
            throw new RejectedException(Code.GGUF_FORMAT, prefix + name + " is not positive");
        }
        return value;
    }

    /** What a norm adds to its mean square. */
    float epsilon(String name) throws RejectedException {
        double value = real(name, null);
        if (!(value >= 0)) {
            throw new RejectedException(Code.GGUF_FORMAT, prefix + name + " is negative");
        }
        return (float) value;
    }

    String text(String name, String absent) throws RejectedException {
        return file.text(key(name), absent).orThrow();
    }

    /** Refuses a flag that says anything but {@code computed}. */
    void flag(String name, boolean computed) throws RejectedException {
        if (file.flag(key(name), computed).orThrow() != computed) {
            throw unsupported(name);
        }
    }

    /** Refuses a number that is neither zero, which is how converters say that it is off, nor {@code computed}. */
    void number(String name, double computed) throws RejectedException {
        if (has(name)) {
            double value = switch (value(name)) {
                case GgufValue.Whole(var type, long number) -> number;
                case null, default -> real(name, computed);
            };
            key(name);
            if (value != 0 && Math.abs(value - computed) > TOLERANCE * Math.abs(computed)) {
                throw unsupported(name);
            }
        }
    }

    /** Says that keys are of no effect on this model, whatever they say. */
    void noEffect(String... names) {
        read.addAll(Set.of(names));
    }

    RejectedException unsupported(String name) {
        return new RejectedException(
                Code.GGUF_UNSUPPORTED,
                prefix + name + " is " + shown(value(name)) + ", which this engine does not compute");
    }

    private static String shown(@Nullable GgufValue value) {
        return switch (value) {
            case null -> "missing";
            case GgufValue.Whole(var type, long number) -> Long.toString(number);
            case GgufValue.Real(var type, double number) -> Double.toString(number);
            case GgufValue.Flag(boolean flag) -> Boolean.toString(flag);
            case GgufValue.Text(String text) -> text.substring(0, Math.min(text.length(), 64));
            case GgufValue.Numbers numbers -> "a list of " + numbers.size() + " numbers";
            case GgufValue.Texts texts -> "a list of " + texts.size() + " texts";
        };
    }

    /** Refuses the file, by the name of the key, if it says anything about the model that nobody read. */
    void allRead() throws RejectedException {
        for (Map.Entry<String, GgufValue> entry : file.metadata().entrySet()) {
            if (entry.getKey().startsWith(prefix)) {
                String name = entry.getKey().substring(prefix.length());
                if (!read.contains(name) && !NeutralKeys.isNeutral(name, entry.getValue())) {
                    throw unsupported(name);
                }
            }
        }
    }
}
