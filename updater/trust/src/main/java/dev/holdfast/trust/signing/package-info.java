/** The operator's private keys, and what is signed with them. Nothing of it is on a device. */
@NullMarked
package dev.holdfast.trust.signing;

import org.jspecify.annotations.NullMarked;
