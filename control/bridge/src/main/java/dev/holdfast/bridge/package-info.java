/**
 * The bridge: a loopback port before the applications' socket, for clients that cannot use a Unix socket. It runs only where somebody
 * starts it. It parses the heads of HTTP requests and nothing else; what it passes on and what not is in
 * {@code docs/protocol/application-api.md}.
 */
@NullMarked
package dev.holdfast.bridge;

import org.jspecify.annotations.NullMarked;
