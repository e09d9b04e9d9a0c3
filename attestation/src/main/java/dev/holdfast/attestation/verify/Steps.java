package dev.holdfast.attestation.verify;

/**
 * Told of each durable step, right before it is taken and after the last one. Exists for the tests that end the process
 * between any two of them.
 */
@FunctionalInterface
public interface Steps {
    Steps UNWATCHED = step -> {};

    void before(String step);
}
