package dev.holdfast.engine;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What each user was given of the machine, and by that whose turn it is: virtual token counters (Sheng et al., "Fairness in Serving Large
 * Language Models", 2024). A token that is read counts one, a token that is made two; what was read before and is reused counts nothing.
 *
 * <p>Whoever was given least is served next. One that comes while others are there is lifted to the least of theirs, so that nobody saves
 * up turns by staying away; where nobody is there, all begin anew.
 *
 * <p>Prompts are read in pieces, one at a time in the whole process, whatever their model. A piece is charged when it begins, and lets
 * others in between its layers: whoever was given less than its user with it, and once a shorter piece of the same user. So a short prompt
 * waits for a layer of a long one. The next tokens of answers are computed beside the piece, all of a model together
 * ({@link dev.holdfast.engine.architectures.DecodeBatcher}), so a long prompt takes a part of the machine from them and never stops them.
 * Thread-safe.
 */
public final class TokenShares {
    /** What a token that is made costs: it goes through the layers with few others, one that is read with many. */
    private static final int MADE = 2;
    /** Users that are away and whose counters are kept. */
    private static final int MAX_AWAY = 1024;

    private static final class Account {
        private long counter;
        /** Tokens of the pieces that are being read. */
        private long begun;
        /** Requests that run or wait. */
        private int requests;

        private boolean active() {
            return requests > 0;
        }
    }

    /** A piece from the moment it is ready until it is read. */
    private static final class Reading {
        private final long user;
        private final int tokens;
        private boolean granted;
        private boolean begun;
        /** It has let a piece of its own user in between. */
        private boolean gaveWay;

        private Reading(long user, int tokens) {
            this.user = user;
            this.tokens = tokens;
        }
    }

    private final Map<Long, Account> accounts = new HashMap<>();
    /** What waits to be read, or to be read on, as it came. */
    private final List<Reading> waiting = new ArrayList<>();

    private @Nullable Reading current;

    /** A user has one more request, until {@link #leave}. */
    public synchronized void arrive(long user) {
        Account account = accounts.computeIfAbsent(user, any -> new Account());
        if (!account.active()) {
            long least = least();
            if (least == Long.MAX_VALUE) {
                accounts.clear();
                accounts.put(user, account);
                account.counter = 0;
            } else {
                account.counter = Math.max(account.counter, least);
            }
        }
        account.requests++;
        if (accounts.size() > MAX_AWAY) {
            forget();
        }
    }

    /** A request that arrived has ended, or is not wanted any more. */
    public synchronized void leave(long user) {
        Account account = accounts.get(user);
        if (account != null && account.active()) {
            account.requests--;
        }
    }

    /** What a user was given; only differences between users that are there say something. */
    public synchronized long given(long user) {
        Account account = accounts.get(user);
        return account == null ? 0 : account.counter + account.begun;
    }

    /** Users whose counters are kept. */
    synchronized int accounts() {
        return accounts.size();
    }

    private synchronized void charge(long user, long cost) {
        Account account = accounts.get(user);
        if (account != null) {
            account.counter += cost;
        }
    }

    /** The least counter of those who are there; the largest number where nobody is. */
    private long least() {
        return accounts.values().stream()
                .filter(Account::active)
                .mapToLong(account -> account.counter)
                .min()
                .orElse(Long.MAX_VALUE);
    }

    /** Users that are away, those first who would be lifted most. */
    private void forget() {
        accounts.entrySet().stream()
                .filter(each -> !each.getValue().active())
                .sorted(Comparator.comparingLong(each -> each.getValue().counter))
                .limit(MAX_AWAY / 2)
                .map(Map.Entry::getKey)
                .toList()
                .forEach(accounts::remove);
    }

    /** The turns of one request of a user, which has arrived. */
    public Turns of(long user) {
        return new Turns() {
            @Override
            public void read(int tokens, Piece piece) {
                Reading own = new Reading(user, tokens);
                begin(own);
                int read = 0;
                try {
                    read = piece.read(() -> pause(own));
                } finally {
                    end(own, read);
                }
            }

            @Override
            public void made() {
                charge(user, MADE);
            }
        };
    }

    private synchronized void begin(Reading own) {
        if (current == null) {
            grant(own);
        } else {
            waiting.add(own);
            await(own);
        }
    }

    /** Lets another piece be read first, if one may pass. */
    private synchronized void pause(Reading own) {
        Reading next = next();
        if (next == null || given(next.user) >= given(own.user)) {
            next = own.gaveWay ? null : shorter(own);
        }
        if (next != null) {
            own.gaveWay |= next.user == own.user;
            own.granted = false;
            waiting.addFirst(own);
            waiting.remove(next);
            grant(next);
            await(own);
        }
    }

    /** The shortest piece of the same user that is shorter than this one. */
    private @Nullable Reading shorter(Reading own) {
        Reading shortest = own;
        for (Reading each : waiting) {
            if (each.user == own.user && each.tokens < shortest.tokens) {
                shortest = each;
            }
        }
        return shortest == own ? null : shortest;
    }

    private synchronized void end(Reading own, int read) {
        Account account = accounts.get(own.user);
        if (account != null) {
            account.begun -= own.tokens;
            account.counter += read;
        }
        current = null;
        Reading next = next();
        if (next != null) {
            waiting.remove(next);
            grant(next);
        }
    }

    /** Whose user was given least; of several, the first. */
    private @Nullable Reading next() {
        Reading next = null;
        for (Reading each : waiting) {
            if (next == null || given(each.user) < given(next.user)) {
                next = each;
            }
        }
        return next;
    }

    private void grant(Reading next) {
        current = next;
        next.granted = true;
        if (!next.begun) {
            next.begun = true;
            Account account = accounts.get(next.user);
            if (account != null) {
                account.begun += next.tokens;
            }
        }
        notifyAll();
    }

    private void await(Reading own) {
        boolean interrupted = false;
        while (!own.granted) {
            try {
                wait();
            } catch (InterruptedException e) {
                // The turn comes all the same: whoever reads gives it on.
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
