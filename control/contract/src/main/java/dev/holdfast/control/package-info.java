/**
 * What the two daemons and the commands say to each other over Unix sockets: each message once, with its reader and its
 * writer, the paths under which it is said, and a client that needs nothing but the JDK.
 *
 * <p>Neither side trusts the other. The agent holds the network and the TEE, the inference process parses hostile models and
 * prompts: what comes from it is read within bounds, and ends in a verdict where it does not hold.
 */
@NullMarked
package dev.holdfast.control;

import org.jspecify.annotations.NullMarked;
