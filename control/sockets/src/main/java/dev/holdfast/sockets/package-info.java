/** The HTTP servers of both daemons on Unix sockets: who is at the other end, whom to let in, bounded bodies and replies. */
@NullMarked
package dev.holdfast.sockets;

import org.jspecify.annotations.NullMarked;
