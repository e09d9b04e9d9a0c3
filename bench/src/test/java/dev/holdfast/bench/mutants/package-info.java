/** Slips put into the code by hand, one at a time: the tests that are named for each must fail. The lists are in {@code bench/mutants}. */
@org.jspecify.annotations.NullMarked
package dev.holdfast.bench.mutants;
