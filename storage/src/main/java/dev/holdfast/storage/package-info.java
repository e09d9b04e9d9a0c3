/**
 * Durable files behind one seam, {@link dev.holdfast.storage.Disk}: every change that anything of ours makes on a disk and relies on
 * later. A test can end the process before and after each of them and forget what was not forced.
 */
@NullMarked
package dev.holdfast.storage;

import org.jspecify.annotations.NullMarked;
