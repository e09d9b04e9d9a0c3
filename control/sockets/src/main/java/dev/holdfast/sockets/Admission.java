package dev.holdfast.sockets;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What a peer passes before it can ask anything of a socket: how many connections there may be, counted at accept and by user, and
 * who may ask. A user that holds all of its own places takes none of another's. Thread-safe.
 */
final class Admission {
    /** The uid of a peer that the kernel does not name. */
    private static final long NOBODY = -1;

    /**
     * How the places of a socket are divided.
     *
     * @param total connections at a time
     * @param user of these, for each user whom the policy lets in
     * @param strangers for all others together, who are told so and nothing else
     * @param reserved of the total, for those alone whom the policy names, root and the process's own user
     */
    record Places(int total, int user, int strangers, int reserved) {
        static final Places DEFAULT = new Places(256, 64, 8, 32);
    }

    private final PeerPolicy policy;
    private final Places places;
    private final Map<Long, Integer> byUser = new HashMap<>();
    private int connections;
    private int strangers;

    Admission(PeerPolicy policy, Places places) {
        this.policy = policy;
        this.places = places;
    }

    /** The place of one connection, until it is left. */
    final class Place {
        private final long uid;
        private final boolean stranger;
        private boolean left;

        private Place(long uid, boolean stranger) {
            this.uid = uid;
            this.stranger = stranger;
        }

        /** Says that the connection ended; once is enough. */
        void leave() {
            synchronized (Admission.this) {
                if (left) {
                    return;
                }
                left = true;
                connections--;
                strangers -= stranger ? 1 : 0;
                byUser.computeIfPresent(uid, (user, count) -> count > 1 ? count - 1 : null);
            }
        }
    }

    /** Takes a place for a connection; empty where there is none for this peer, and it must be closed. */
    synchronized Optional<Place> enter(Optional<Peer> peer) {
        long uid = peer.map(Peer::uid).orElse(NOBODY);
        boolean stranger = !policy.allows(peer);
        boolean named = policy.names(peer);
        int most = named ? places.total : places.total - places.reserved;
        if (connections >= most
                || stranger && strangers >= places.strangers
                || !named && byUser.getOrDefault(uid, 0) >= places.user) {
            return Optional.empty();
        }
        connections++;
        strangers += stranger ? 1 : 0;
        byUser.merge(uid, 1, Integer::sum);
        return Optional.of(new Place(uid, stranger));
    }

    /** Whether this peer may ask anything here. */
    boolean allows(Optional<Peer> peer) {
        return policy.allows(peer);
    }
}
