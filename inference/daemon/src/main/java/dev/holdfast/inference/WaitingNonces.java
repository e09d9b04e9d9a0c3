package dev.holdfast.inference;

import dev.holdfast.wire.Binary;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Places of the programs that wait for evidence, and the nonces that the agent has not fetched yet. Users take turns, and each has a
 * share of the places; the last ones are for users of whom nobody waits yet. Not thread-safe.
 */
final class WaitingNonces {
    /** Programs on one device seldom ask; more at once is a flood. */
    static final int PLACES_OF_USER = 16;

    static final int PLACES = 64;
    static final int PLACES_WITH_RESERVE = 128;

    private final Map<Long, Integer> places = new HashMap<>();
    /** By user, whoever's turn comes next first. */
    private final Map<Long, Deque<Binary>> fresh = new LinkedHashMap<>();

    private int taken;

    /** Takes a place for a program of user {@code uid}; false where there is none. */
    boolean enter(long uid) {
        int own = places.getOrDefault(uid, 0);
        if (own >= PLACES_OF_USER || taken >= (own == 0 ? PLACES_WITH_RESERVE : PLACES)) {
            return false;
        }
        places.put(uid, own + 1);
        taken++;
        return true;
    }

    void leave(long uid) {
        places.computeIfPresent(uid, (user, own) -> own > 1 ? own - 1 : null);
        taken--;
    }

    int taken() {
        return taken;
    }

    /** To be fetched when it is this user's turn. */
    void add(long uid, Binary nonce) {
        fresh.computeIfAbsent(uid, user -> new ArrayDeque<>()).add(nonce);
    }

    /** Takes at most so many, one of each user in turn. */
    List<Binary> take(int most) {
        List<Binary> taken = new ArrayList<>();
        while (taken.size() < most && !fresh.isEmpty()) {
            Iterator<Map.Entry<Long, Deque<Binary>>> first = fresh.entrySet().iterator();
            Map.Entry<Long, Deque<Binary>> turn = first.next();
            long uid = turn.getKey();
            Deque<Binary> own = turn.getValue();
            first.remove();
            taken.add(own.remove());
            if (!own.isEmpty()) {
                fresh.put(uid, own);
            }
        }
        return taken;
    }

    /** Nobody waits for this one any more. */
    void drop(Binary nonce) {
        fresh.values().removeIf(own -> own.remove(nonce) && own.isEmpty());
    }
}
