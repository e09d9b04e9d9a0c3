package dev.holdfast.inference;

import dev.holdfast.engine.gate.HealthGate;
import java.nio.file.Path;

/**
 * How models are served.
 *
 * @param blobs the folder of finished model files, each named by its digest
 * @param load how each model is loaded
 * @param maxQueued requests of one model that may wait for their turn; beyond it they are refused
 * @param share of the sequences of one model, and of those that wait, for each user
 * @param threads threads that share one product
 * @param memoryBytes what all models together may take
 */
public record HostSettings(
        Path blobs, HealthGate.Settings load, int maxQueued, UserShare share, int threads, long memoryBytes) {
    /** With the usual share. */
    public HostSettings(Path blobs, HealthGate.Settings load, int maxQueued, int threads, long memoryBytes) {
        this(blobs, load, maxQueued, UserShare.of(load.maxSequences(), maxQueued), threads, memoryBytes);
    }
}
