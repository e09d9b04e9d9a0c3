package dev.holdfast.sockets;

import java.util.Optional;

/**
 * What a peer passes before it can ask anything of a socket: how many connections there may be, counted at accept, and who
 * may ask. Thread-safe.
 */
final class Admission {
    private final PeerPolicy policy;
    private final int maxConnections;
    private int connections;

    Admission(PeerPolicy policy, int maxConnections) {
        this.policy = policy;
        this.maxConnections = maxConnections;
    }

    /** Counts a connection; false where there are too many, and it must be closed. {@link #leave} follows either way. */
    synchronized boolean enter() {
        connections++;
        return connections <= maxConnections;
    }

    /** Says that a connection ended. */
    synchronized void leave() {
        connections--;
    }

    /** Whether this peer may ask anything here. */
    boolean allows(Optional<Peer> peer) {
        return policy.allows(peer);
    }
}
