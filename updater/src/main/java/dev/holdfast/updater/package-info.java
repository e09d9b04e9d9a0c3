@NullMarked
package dev.holdfast.updater;

import org.jspecify.annotations.NullMarked;
