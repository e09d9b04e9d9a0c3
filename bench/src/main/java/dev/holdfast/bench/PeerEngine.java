package dev.holdfast.bench;

import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** An engine beside which ours is measured, or ours. Each measuring is a process of its own. */
sealed interface PeerEngine permits HoldfastModelBench, LlamaBench, Llama3Java {
    /** Ours. */
    HoldfastModelBench OURS = new HoldfastModelBench();

    /** The best known one, and the yardstick of plots. */
    LlamaBench LLAMA_CPP = LlamaBench.llamaCpp();

    /** The others in the order of the page. */
    List<PeerEngine> PEERS = List.of(LLAMA_CPP, LlamaBench.ikLlamaCpp(), new Llama3Java());

    String name();

    /** How often it is measured; the median counts. */
    int turns();

    /** Why it cannot be measured with such a model here; empty where it can. */
    Optional<String> obstacle(ShapedModel model);

    /** How many times as fast as this engine ours is meant to be; 0: only reported. */
    Speeds goal(GgmlType type);

    Speeds measure(Path file, int threads, Load load) throws IOException, InterruptedException;
}
