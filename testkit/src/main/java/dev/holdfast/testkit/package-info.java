/**
 * Peers that break every rule, for the tests of all modules. They write bytes on sockets themselves, so that nothing of the
 * code under test keeps them polite.
 */
@NullMarked
package dev.holdfast.testkit;

import org.jspecify.annotations.NullMarked;
