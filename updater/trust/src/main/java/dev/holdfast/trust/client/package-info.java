/**
 * The client's workflow of TUF 1.0.34 section 5 with a Director in the manner of Uptane: what a device may run. Whatever comes through
 * {@link dev.holdfast.trust.client.MetadataSource} and {@link dev.holdfast.trust.client.BlockSource} is untrusted until a signed
 * hash says otherwise.
 */
@NullMarked
package dev.holdfast.trust.client;

import org.jspecify.annotations.NullMarked;
