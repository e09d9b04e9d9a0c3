/**
 * Verdicts, rejection codes and bounded decoding: what every room that reads bytes from outside shares.
 *
 * <p>Untrusted input never throws to a caller. A reader answers with a {@link dev.holdfast.wire.Verdict}: the value,
 * or a {@link dev.holdfast.wire.Code} with the detail and the byte offset. CBOR follows the deterministic encoding of
 * RFC 8949 section 4.2 in both directions, JSON is read by Jackson with hard limits.
 */
@NullMarked
package dev.holdfast.wire;

import org.jspecify.annotations.NullMarked;
