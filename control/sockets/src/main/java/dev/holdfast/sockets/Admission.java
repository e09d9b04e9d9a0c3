package dev.holdfast.sockets;

import io.netty.util.AttributeKey;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * What a peer passes before it can ask anything of a socket: how many connections there may be, counted at accept and by user, how
 * many may come a second, how many bytes of bodies may be held while they are read, how many requests a second may come, and who may
 * ask. A user that holds all of its own places takes none of another's. Thread-safe.
 */
public final class Admission {
    /** Where a connection's place is kept. */
    static final AttributeKey<Place> PLACE = AttributeKey.valueOf(Admission.class, "place");

    /** The uid of a peer that the kernel does not name. */
    private static final long NOBODY = -1;

    /**
     * How the places of a socket are divided. What is reserved is for those alone whom the policy names: root, the process's own
     * user, and the users and groups of the policy.
     *
     * @param total connections at a time
     * @param user of these, for each user whom the policy lets in
     * @param strangers for all others together, who are told so and nothing else
     * @param reserved of the total
     * @param bodies bytes of all bodies that are being read
     * @param perSecond connections, and requests, of each user whom the policy does not name; a connection that comes faster is
     *     refused, a request waits
     */
    record Places(int total, int user, int strangers, int reserved, Bytes bodies, int perSecond) {
        static final Places DEFAULT = new Places(256, 64, 8, 32, new Bytes(16 << 20, 4 << 20, 4 << 20), 200);

        /** So many bytes of a body count like one more request. */
        private static final int REQUEST_BYTES = 16 * 1024;

        /**
         * How memory is divided.
         *
         * @param user of the total, for each user
         * @param reserved of the total
         */
        record Bytes(long total, long user, long reserved) {}
    }

    /** What one user holds. */
    private static final class Held {
        private int connections;
        private long bytes;
        /** When the next request would come if all came evenly. */
        private long nextNanos;
        /** The same of the next connection. */
        private long nextConnectionNanos;

        private Held(long nowNanos) {
            nextNanos = nowNanos;
            nextConnectionNanos = nowNanos;
        }

        private boolean isForgotten(long nowNanos) {
            return connections == 0 && nextNanos - nowNanos <= 0 && nextConnectionNanos - nowNanos <= 0;
        }
    }

    private static final long SECOND_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** No flood counts for longer than this, or it would keep out its user long after its end. Beyond it nothing is read. */
    private static final long MOST_AHEAD_NANOS = 2 * SECOND_NANOS;

    private final PeerPolicy policy;
    private final Places places;
    private final Map<Long, Held> byUser = new HashMap<>();
    private int connections;
    private int strangers;
    private long bytes;
    private int forgetAt;

    /**
     * For a socket whose peers the kernel does not name: all together are one user, who may have every place.
     *
     * @param connections at a time
     */
    public static Admission ofOneUser(int connections) {
        Places.Bytes bodies = new Places.Bytes(Places.DEFAULT.bodies.total, Places.DEFAULT.bodies.total, 0);
        return new Admission(
                PeerPolicy.everyone(), new Places(connections, connections, 0, 0, bodies, Places.DEFAULT.perSecond));
    }

    Admission(PeerPolicy policy, Places places) {
        this.policy = policy;
        this.places = places;
        this.forgetAt = places.total;
    }

    /** The place of one connection, until it is left. */
    final class Place {
        private final Optional<Peer> peer;
        private final long uid;
        private final Held user;
        private final boolean allowed;
        private final boolean named;
        private boolean left;
        private long held;

        private Place(Optional<Peer> peer, long uid, Held user, boolean allowed, boolean named) {
            this.peer = peer;
            this.uid = uid;
            this.user = user;
            this.allowed = allowed;
            this.named = named;
        }

        Optional<Peer> peer() {
            return peer;
        }

        /** Whether this peer may ask anything here. */
        boolean allowed() {
            return allowed;
        }

        /**
         * Counts a request.
         *
         * @return how long it has to wait, in nanoseconds; a second's worth of requests may come at once
         */
        long ask(long nowNanos) {
            if (named) {
                return 0;
            }
            synchronized (Admission.this) {
                // The virtual scheduling form of the generic cell rate algorithm (ITU-T I.371).
                long due = later(user.nextNanos, nowNanos);
                owe(due + SECOND_NANOS / places.perSecond, nowNanos);
                return Math.max(0, due - nowNanos - SECOND_NANOS);
            }
        }

        /**
         * Counts bytes of a body.
         *
         * @return how long nothing more is to be read, in nanoseconds: it ends when what this user sent is worth a second
         */
        long charge(long count, long nowNanos) {
            if (named) {
                return 0;
            }
            synchronized (Admission.this) {
                long perRequest = SECOND_NANOS / places.perSecond;
                long due = later(user.nextNanos, nowNanos) + perRequest * count / Places.REQUEST_BYTES;
                return owe(due, nowNanos) ? 0 : MOST_AHEAD_NANOS - SECOND_NANOS;
            }
        }

        /** Sets when the next request would come; false where that is too far away, and it comes earlier. */
        private boolean owe(long due, long nowNanos) {
            boolean within = due - nowNanos <= MOST_AHEAD_NANOS;
            user.nextNanos = within ? due : nowNanos + MOST_AHEAD_NANOS;
            return within;
        }

        /** Makes room for more bytes of the body that this connection sends; false where there is none, now. */
        boolean hold(long count) {
            synchronized (Admission.this) {
                Places.Bytes most = places.bodies;
                if (left
                        || bytes + count > (named ? most.total : most.total - most.reserved)
                        || !named && user.bytes + count > most.user) {
                    return false;
                }
                bytes += count;
                user.bytes += count;
                held += count;
                return true;
            }
        }

        /** Gives back what was held: the body is whole, or nobody wants it. */
        void release() {
            synchronized (Admission.this) {
                bytes -= held;
                user.bytes -= held;
                held = 0;
            }
        }

        /** Says that the connection ended; once is enough. */
        void leave() {
            synchronized (Admission.this) {
                release();
                if (left) {
                    return;
                }
                left = true;
                connections--;
                strangers -= allowed ? 0 : 1;
                user.connections--;
                forget(user, uid);
            }
        }
    }

    /** Not who came or asked too fast just now: to come again makes nobody new. */
    private void forget(Held user, long uid) {
        if (user.isForgotten(System.nanoTime())) {
            byUser.remove(uid);
        }
    }

    /** Who may take many users' numbers (subordinate ones) leaves many behind; each time there are twice as many, all are looked at. */
    private void forgetOthers() {
        if (byUser.size() >= forgetAt) {
            Map.copyOf(byUser).forEach((uid, user) -> forget(user, uid));
            forgetAt = Math.max(places.total, 2 * byUser.size());
        }
    }

    /** Takes a place for a connection; empty where there is none for this peer, or none yet, and it must be closed. */
    synchronized Optional<Place> enter(Optional<Peer> peer, long nowNanos) {
        long uid = peer.map(Peer::uid).orElse(NOBODY);
        boolean allowed = policy.allows(peer);
        boolean named = policy.names(peer);
        Held known = byUser.get(uid);
        if (connections >= (named ? places.total : places.total - places.reserved)
                || !allowed && strangers >= places.strangers
                || !named && known != null && isTooMany(known, nowNanos)) {
            return Optional.empty();
        }
        forgetOthers();
        Held user = byUser.computeIfAbsent(uid, any -> new Held(nowNanos));
        connections++;
        strangers += allowed ? 0 : 1;
        user.connections++;
        user.nextConnectionNanos = later(user.nextConnectionNanos, nowNanos) + SECOND_NANOS / places.perSecond;
        return Optional.of(new Place(peer, uid, user, allowed, named));
    }

    private boolean isTooMany(Held user, long nowNanos) {
        return user.connections >= places.user || user.nextConnectionNanos - nowNanos > SECOND_NANOS;
    }

    private static long later(long one, long other) {
        return one - other > 0 ? one : other;
    }
}
