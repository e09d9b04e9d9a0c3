/**
 * What a release says beyond a name and a hash: the custom block of a model or a patch, how a file is cut into blocks, what is kept
 * beside a model, the order for a device and its rollout terms. Publisher and device use the same types.
 */
@NullMarked
package dev.holdfast.trust.release;

import org.jspecify.annotations.NullMarked;
