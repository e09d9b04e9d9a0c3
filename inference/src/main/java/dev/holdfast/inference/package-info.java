@NullMarked
package dev.holdfast.inference;

import org.jspecify.annotations.NullMarked;
