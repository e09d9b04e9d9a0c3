/** A PKCS #11 token as keeper of the device's keys, through the JDK's own provider; URIs are those of RFC 7512. */
@NullMarked
package dev.holdfast.tee.pkcs11;

import org.jspecify.annotations.NullMarked;
