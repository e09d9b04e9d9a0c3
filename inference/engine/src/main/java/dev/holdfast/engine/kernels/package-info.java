/** The arithmetic: products, attention, keys and values, and the threads that share a job. A scalar twin is the oracle of the tests. */
@NullMarked
package dev.holdfast.engine.kernels;

import org.jspecify.annotations.NullMarked;
