/**
 * The inference daemon: which model serves, who gets an answer when, and the OpenAI wire format on a Unix socket. It opens no network
 * socket and holds no secret.
 */
@NullMarked
package dev.holdfast.inference;

import org.jspecify.annotations.NullMarked;
