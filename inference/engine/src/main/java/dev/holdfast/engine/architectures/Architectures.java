package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.List;

/** The architectures that this engine knows. */
public final class Architectures {
    private static final List<Architecture> ALL =
            List.of(new Llama(), new Qwen2(), new Qwen3(), new Gemma3(), new Bert());

    private Architectures() {}

    public static Network load(TensorTable table) throws RejectedException {
        return find(table.file()).load(table);
    }

    /** The sizes of a model, from what its file says. */
    public static ModelShape shape(GgufFile file) throws RejectedException {
        return ModelSizes.read(file);
    }

    /** What a model takes of the heap, with sequences of {@code tokens}; from what its file says, without its tensors. */
    public static HeapNeeds needs(GgufFile file, int tokens, CacheType cache) throws RejectedException {
        return find(file).needs(shape(file), tokens, cache);
    }

    private static Architecture find(GgufFile file) throws RejectedException {
        String name = file.text("general.architecture", null).orThrow();
        for (Architecture architecture : ALL) {
            if (architecture.name().equals(name)) {
                return architecture;
            }
        }
        throw new RejectedException(Code.GGUF_UNSUPPORTED, "the architecture " + name);
    }
}
