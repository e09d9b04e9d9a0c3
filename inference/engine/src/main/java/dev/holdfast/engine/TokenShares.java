package dev.holdfast.engine;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntSupplier;

/**
 * What each user was given of the machine, and by that whose turn it is: virtual token counters (Sheng et al., "Fairness in Serving Large
 * Language Models", 2024). A token that is read counts one, a token that is made two; what was read before and is reused counts nothing.
 *
 * <p>Whoever was given least is served next. One that comes while others are there is lifted to the least of theirs, so that nobody saves
 * up turns by staying away; where nobody is there, all begin anew.
 *
 * <p>Prompts are read in pieces, one at a time in the whole process, whatever their model. The next tokens of answers are computed beside
 * them, all of a model together ({@link dev.holdfast.engine.architectures.DecodeBatcher}), so a long prompt takes a part of the machine
 * from them and never stops them. Thread-safe.
 */
public final class TokenShares {
    /** What a token that is made costs: it goes through the layers with few others, one that is read with many. */
    private static final int MADE = 2;
    /** Users that are away and whose counters are kept. */
    private static final int MAX_AWAY = 1024;

    private static final class Account {
        private long counter;
        /** Requests that run or wait. */
        private int requests;

        private boolean active() {
            return requests > 0;
        }
    }

    private static final class Waiting {
        private final long user;
        private boolean granted;

        private Waiting(long user) {
            this.user = user;
        }
    }

    private final Map<Long, Account> accounts = new HashMap<>();
    /** Who waits to read, as they came. */
    private final List<Waiting> waiting = new ArrayList<>();

    private boolean reading;

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
        return account == null ? 0 : account.counter;
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
            public void read(IntSupplier piece) {
                take(user);
                int tokens = 0;
                try {
                    tokens = piece.getAsInt();
                } finally {
                    giveBack(user, tokens);
                }
            }

            @Override
            public void made() {
                charge(user, MADE);
            }
        };
    }

    private synchronized void take(long user) {
        if (!reading) {
            reading = true;
            return;
        }
        Waiting own = new Waiting(user);
        waiting.add(own);
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

    private synchronized void giveBack(long user, int tokens) {
        charge(user, tokens);
        Waiting next = null;
        for (Waiting each : waiting) {
            if (next == null || given(each.user) < given(next.user)) {
                next = each;
            }
        }
        if (next == null) {
            reading = false;
        } else {
            waiting.remove(next);
            next.granted = true;
            notifyAll();
        }
    }
}
