/** Measurements beside peers. Each {@code <Name>Bench} has a {@code main} and writes one section of the page of figures. */
@NullMarked
package dev.holdfast.bench;

import org.jspecify.annotations.NullMarked;
