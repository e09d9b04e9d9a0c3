package dev.holdfast.sockets;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/**
 * Who may talk on a socket, besides whom the socket file's mode keeps out. Root and the user of this process always may.
 *
 * @param open everybody whom the file's mode lets connect
 * @param uids further users, where not open
 * @param gids further groups, where not open
 */
public record PeerPolicy(boolean open, Set<Long> uids, Set<Long> gids) {
    private static final long ROOT = 0;

    public PeerPolicy {
        uids = Set.copyOf(uids);
        gids = Set.copyOf(gids);
    }

    /** Everybody whom the socket file's mode lets connect. */
    public static PeerPolicy everyone() {
        return new PeerPolicy(true, Set.of(), Set.of());
    }

    /** Root, the user of this process, and these users. */
    public static PeerPolicy onlyUsers(Set<Long> uids) {
        return new PeerPolicy(false, uids, Set.of());
    }

    /** Root, the user of this process, and the members of its group, whom the mode {@code rw-rw----} of the socket lets in. */
    public static PeerPolicy onlyOwnGroup() {
        return new PeerPolicy(false, Set.of(), Set.of(Own.GID));
    }

    public boolean allows(Optional<Peer> peer) {
        return open || names(peer);
    }

    /** Whether this peer is one of those that the policy names: root, the user of this process, or one of {@code uids} and {@code gids}. */
    public boolean names(Optional<Peer> peer) {
        return peer.isPresent()
                && (peer.get().uid() == ROOT
                        || peer.get().uid() == Own.UID
                        || uids.contains(peer.get().uid())
                        || peer.get().gids().stream().anyMatch(gids::contains));
    }

    private static final class Own {
        /** No number of a {@link Peer}: where this process does not know its own, nobody is let in for having it. */
        private static final long NOBODY = -1;

        static final long UID = number("unix:uid");
        static final long GID = number("unix:gid");

        private static long number(String attribute) {
            try {
                return ((Number) Files.getAttribute(Path.of("/proc/self"), attribute)).longValue();
            } catch (IOException | RuntimeException e) {
                return NOBODY;
            }
        }
    }
}
