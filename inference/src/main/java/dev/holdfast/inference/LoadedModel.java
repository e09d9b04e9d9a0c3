package dev.holdfast.inference;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;

/** A model that is ready to compute. Immutable; many sequences may use it at once. Closing it unmaps the file. */
final class LoadedModel implements AutoCloseable {
    private final MappedModel mapped;
    private final GgufFile file;
    private final Transformer transformer;
    private final Verdict<Tokenizer> tokenizer;
    private final int contextTokens;
    private final Sha256 tokenizerDigest;

    private LoadedModel(
            MappedModel mapped, GgufFile file, Transformer transformer, Verdict<Tokenizer> tokenizer, int context) {
        this.mapped = mapped;
        this.file = file;
        this.transformer = transformer;
        this.tokenizer = tokenizer;
        this.contextTokens = context;
        this.tokenizerDigest = TokenizerDigest.of(file);
    }

    /** Maps and loads a file; the context is the smaller one of the model's and {@code contextTokens}. */
    static Verdict<LoadedModel> load(Path path, Products products, int contextTokens) {
        return MappedModel.map(path).then(mapped -> of(mapped, products, contextTokens));
    }

    /** Takes over {@code mapped}, and closes it when the model is refused. */
    static Verdict<LoadedModel> of(MappedModel mapped, Products products, int contextTokens) {
        Verdict<LoadedModel> verdict = Verdict.of(() -> {
            GgufFile file = mapped.head().orThrow();
            Transformer transformer = Architectures.load(new TensorTable(file, mapped.bytes()));
            int context = Math.min(contextTokens, transformer.shape().contextTokens());
            long cacheBytes = transformer.shape().cacheBytes(context);
            if (cacheBytes > Runtime.getRuntime().maxMemory() / 2) {
                throw new RejectedException(
                        Code.GATE_LOAD,
                        "one sequence needs a cache of " + (cacheBytes >> 20) + " MiB; lower the context");
            }
            transformer.prepare(products, context);
            return new LoadedModel(mapped, file, transformer, Verdict.of(() -> Tokenizer.of(file)), context);
        });
        if (!verdict.isAccepted()) {
            mapped.close();
        }
        return verdict;
    }

    MappedModel mapped() {
        return mapped;
    }

    GgufFile file() {
        return file;
    }

    Transformer transformer() {
        return transformer;
    }

    /** The tokenizer, or why this engine has none for the model. */
    Verdict<Tokenizer> tokenizer() {
        return tokenizer;
    }

    Sha256 tokenizerDigest() {
        return tokenizerDigest;
    }

    int contextTokens() {
        return contextTokens;
    }

    Sequence newSequence() {
        return new Sequence(transformer.shape(), contextTokens);
    }

    @Override
    public void close() {
        mapped.close();
    }
}
