/** The whole stack as separate processes on real parts. */
@NullMarked
package dev.holdfast.acceptance;

import org.jspecify.annotations.NullMarked;
