package dev.holdfast.engine;

import dev.holdfast.engine.architectures.Architectures;
import dev.holdfast.engine.architectures.DecodeBatcher;
import dev.holdfast.engine.architectures.Embedding;
import dev.holdfast.engine.architectures.Encoder;
import dev.holdfast.engine.architectures.Network;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.TensorTable;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;

/** A model that is ready to compute. Immutable; many sequences may use it at once. Closing it unmaps the file. */
public final class LoadedModel implements AutoCloseable {
    private final MappedModel mapped;
    private final GgufFile file;
    private final Network network;
    private final Verdict<DecodeBatcher> batcher;
    private final Verdict<Tokenizer> tokenizer;
    private final int contextTokens;
    private final CacheType cache;

    private LoadedModel(
            MappedModel mapped,
            GgufFile file,
            Network network,
            Verdict<Tokenizer> tokenizer,
            int context,
            CacheType cache) {
        this.mapped = mapped;
        this.file = file;
        this.network = network;
        this.batcher = decoder().then(decoder -> Verdict.accepted(new DecodeBatcher(decoder)));
        this.tokenizer = tokenizer;
        this.contextTokens = context;
        this.cache = cache;
    }

    /** Maps and loads a file; the context is the smaller one of the model's and {@code contextTokens}. */
    public static Verdict<LoadedModel> load(Path path, Workers workers, int contextTokens, CacheType cache) {
        return MappedModel.map(path).then(mapped -> of(mapped, workers, contextTokens, cache));
    }

    /** Takes over {@code mapped}, and closes it when the model is refused. */
    public static Verdict<LoadedModel> of(MappedModel mapped, Workers workers, int contextTokens, CacheType cache) {
        Verdict<LoadedModel> verdict;
        try {
            verdict = read(mapped, workers, contextTokens, cache);
        } catch (RuntimeException | VirtualMachineError e) {
            mapped.close();
            throw e;
        }
        if (!verdict.isAccepted()) {
            mapped.close();
        }
        return verdict;
    }

    private static Verdict<LoadedModel> read(MappedModel mapped, Workers workers, int contextTokens, CacheType cache) {
        return Verdict.of(() -> {
            GgufFile file = mapped.head().orThrow();
            Network network = Architectures.load(new TensorTable(file, mapped.bytes()));
            int context = Math.min(contextTokens, network.shape().contextTokens());
            long cacheBytes = network.sequenceBytes(context, cache);
            if (cacheBytes > Runtime.getRuntime().maxMemory() / 2) {
                throw new RejectedException(
                        Code.INS_MEMORY,
                        "one sequence needs a cache of " + (cacheBytes >> 20) + " MiB; lower the context");
            }
            network.prepare(workers, context);
            return new LoadedModel(mapped, file, network, Verdict.of(() -> Tokenizer.of(file)), context, cache);
        });
    }

    MappedModel mapped() {
        return mapped;
    }

    public GgufFile file() {
        return file;
    }

    ModelShape shape() {
        return network.shape();
    }

    /** The decoder, or the refusal of a model that continues no text. */
    public Verdict<Transformer> decoder() {
        return switch (network) {
            case Transformer decoder -> Verdict.accepted(decoder);
            case Encoder encoder -> Verdict.rejected(Code.API_REQUEST, "this model embeds texts and continues none");
        };
    }

    /** What decodes for all answers on this model, or the refusal of a model that continues no text. */
    Verdict<DecodeBatcher> batcher() {
        return batcher;
    }

    /** The encoder, or the refusal of a model that embeds no text. */
    public Verdict<Encoder> encoder() {
        return switch (network) {
            case Encoder encoder -> Verdict.accepted(encoder);
            case Transformer decoder ->
                Verdict.rejected(Code.API_REQUEST, "this model continues texts and embeds none");
        };
    }

    /** The vector of a text, of length one, with the number of its tokens. It is computed in one turn. */
    public Verdict<Embedding> embed(String text, Turns turns) {
        return encoder()
                .then(encoder -> tokenizer.then(tokenizer -> {
                    int[] tokens = tokenizer.encodeText(text);
                    if (tokens.length < 1 || tokens.length > contextTokens) {
                        return Verdict.rejected(
                                Code.API_CONTEXT, tokens.length + " tokens, allowed 1 to " + contextTokens);
                    }
                    float[][] pooled = new float[1][];
                    turns.read(tokens.length, pause -> {
                        pooled[0] = encoder.embed(tokens, pause);
                        return tokens.length;
                    });
                    return Verdict.accepted(Embedding.of(pooled[0], tokens.length));
                }));
    }

    /** The tokenizer, or why this engine has none for the model. */
    public Verdict<Tokenizer> tokenizer() {
        return tokenizer;
    }

    /** Whether both cut texts into the same tokens with the same numbers, so that one may guess what the other will say. */
    boolean hasVocabularyOf(LoadedModel other) {
        return shape().vocabulary() == other.shape().vocabulary()
                && tokenizer instanceof Verdict.Accepted<Tokenizer>(Tokenizer mine)
                && other.tokenizer instanceof Verdict.Accepted<Tokenizer>(Tokenizer theirs)
                && mine.vocabulary().hasTokensOf(theirs.vocabulary());
    }

    public int contextTokens() {
        return contextTokens;
    }

    public Sequence newSequence() {
        return new Sequence(network.shape(), contextTokens, cache);
    }

    @Override
    public void close() {
        mapped.close();
    }
}
