/**
 * MQTT 5 between devices and their fleet: topics, messages in deterministic CBOR, and the client behind one small
 * interface. The broker is untrusted: everything that matters is signed inside, and no MQTT property carries meaning.
 */
@NullMarked
package dev.holdfast.link;

import org.jspecify.annotations.NullMarked;
