package dev.holdfast.engine.architectures;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.List;

/** The architectures that this engine knows. */
public final class Architectures {
    private static final List<Architecture> ALL =
            List.of(new Llama(), new Qwen2(), new Qwen3(), new Gemma3(), new Bert());

    private Architectures() {}

    public static Network load(TensorTable table) throws RejectedException {
        String name = table.file().text("general.architecture", null).orThrow();
        for (Architecture architecture : ALL) {
            if (architecture.name().equals(name)) {
                return architecture.load(table);
            }
        }
        throw new RejectedException(Code.GGUF_UNSUPPORTED, "the architecture " + name);
    }
}
