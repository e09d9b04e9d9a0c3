@NullMarked
package dev.holdfast.link;

import org.jspecify.annotations.NullMarked;
