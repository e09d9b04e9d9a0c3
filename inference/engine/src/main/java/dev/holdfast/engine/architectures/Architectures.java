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

    private static final long QUANTIZATION = 2;

    private Architectures() {}

    /**
     * The network that a file describes. Every tensor of the file is part of it, and everything that the file says of its
     * architecture is computed; else it is refused by the name of what is not.
     */
    public static Network load(TensorTable table) throws RejectedException {
        Network network = find(table.file()).load(table);
        table.keys().allRead();
        table.allRead();
        return network;
    }

    /** The sizes of a model, from what its file says. */
    public static ModelShape shape(GgufFile file) throws RejectedException {
        return ModelSizes.read(ArchitectureKeys.of(file));
    }

    /** What a model takes of the heap, with sequences of {@code tokens}; from what its file says, without its tensors. */
    public static HeapNeeds needs(GgufFile file, int tokens, CacheType cache) throws RejectedException {
        return find(file).needs(shape(file), tokens, cache);
    }

    private static Architecture find(GgufFile file) throws RejectedException {
        String name = file.text("general.architecture", null).orThrow();
        if (file.whole("split.count", 0, Long.MAX_VALUE, 1L).orThrow() > 1) {
            throw new RejectedException(
                    Code.GGUF_UNSUPPORTED, "split.count: this is one of several files; join them first");
        }
        // Blocks of the first version are laid out differently. Plain numbers are not.
        if (file.whole("general.quantization_version", 0, Long.MAX_VALUE, QUANTIZATION)
                                .orThrow()
                        != QUANTIZATION
                && file.tensors().stream().anyMatch(tensor -> tensor.type().blockElements() > 1)) {
            throw new RejectedException(Code.GGUF_UNSUPPORTED, "general.quantization_version is not " + QUANTIZATION);
        }
        for (Architecture architecture : ALL) {
            if (architecture.name().equals(name)) {
                return architecture;
            }
        }
        throw new RejectedException(Code.GGUF_UNSUPPORTED, "the architecture " + name);
    }
}
