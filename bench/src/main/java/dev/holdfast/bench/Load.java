package dev.holdfast.bench;

/**
 * What an engine is asked to do, in tokens; 0 leaves a kind out.
 *
 * @param depth read before the measuring begins
 */
record Load(int depth, int prefill, int decode) {}
