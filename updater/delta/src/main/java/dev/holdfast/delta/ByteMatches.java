package dev.holdfast.delta;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Finds stretches of a file in another without knowing what they mean: the base's windows of {@value #WINDOW} bytes are
 * indexed by a rolling hash at every stride, each place of the next file is looked up, and what is found grows both ways. Two
 * stretches of one alignment with little between them count as one, whose difference is mostly zero. Memory is bounded by
 * {@value #MAX_ENTRIES} entries: the stride grows with the base.
 */
final class ByteMatches {
    private static final int WINDOW = 32;
    private static final int MAX_ENTRIES = 1 << 22;
    /** Least length that pays for a segment of its own. */
    private static final int MIN_MATCH = 96;
    /** Bytes between two stretches of one alignment that are bridged. */
    private static final int BRIDGE = 4096;

    private static final int CHUNK = 1 << 22;
    private static final int PRIME = 0x01000193;

    /** {@code [start, end)} of the next file is like the base from {@code base} on. */
    record Match(long start, long end, long base) {}

    private final FileChannel base;
    private final long from;
    private final long to;
    private final long[] places;
    private final int mask;

    private ByteMatches(FileChannel base, long from, long to, long[] places) {
        this.base = base;
        this.from = from;
        this.to = to;
        this.places = places;
        this.mask = places.length - 1;
    }

    static ByteMatches index(FileChannel base, long from, long to) throws IOException {
        long windows = Math.max(0, to - from - WINDOW);
        long stride = Math.max(8, windows / MAX_ENTRIES + 1);
        int size = Integer.highestOneBit((int) Math.max(64, Math.min(MAX_ENTRIES, windows / stride) * 2)) * 2;
        long[] places = new long[size];
        Arrays.fill(places, -1);
        ByteMatches matches = new ByteMatches(base, from, to, places);
        for (long chunk = from; chunk + WINDOW <= to; chunk += CHUNK) {
            byte[] bytes = Ranges.read(base, chunk, (int) Math.min(CHUNK + WINDOW, to - chunk));
            long first = (stride - (chunk - from) % stride) % stride;
            for (long at = first; at < CHUNK && at + WINDOW <= bytes.length; at += stride) {
                int slot = matches.slot(hash(bytes, (int) at));
                if (places[slot] < 0) {
                    places[slot] = chunk + at;
                }
            }
        }
        return matches;
    }

    private int slot(int hash) {
        return (hash ^ hash >>> 15) * 0x9e3779b1 >>> 7 & mask;
    }

    private static int hash(byte[] bytes, int at) {
        int hash = 0;
        for (int i = 0; i < WINDOW; i++) {
            hash = hash * PRIME + bytes[at + i];
        }
        return hash;
    }

    /** Stretches in order, without overlap. */
    List<Match> find(FileChannel next, long start, long end) throws IOException {
        List<Match> out = new ArrayList<>();
        long done = start;
        for (long chunk = start; chunk + WINDOW <= end; chunk += CHUNK) {
            byte[] bytes = Ranges.read(next, chunk, (int) Math.min(CHUNK + WINDOW, end - chunk));
            int last = Math.min(CHUNK, bytes.length - WINDOW + 1);
            int drop = 1;
            for (int i = 1; i < WINDOW; i++) {
                drop *= PRIME;
            }
            int hash = hash(bytes, 0);
            for (int at = 0; at < last; at++) {
                if (at > 0) {
                    hash = (hash - bytes[at - 1] * drop) * PRIME + bytes[at + WINDOW - 1];
                }
                if (chunk + at < done) {
                    continue;
                }
                long place = places[slot(hash)];
                if (place >= 0) {
                    Match match = grow(next, chunk + at, place, done, end);
                    if (match.end() - match.start() >= MIN_MATCH) {
                        done = match.end();
                        join(out, match);
                    }
                }
            }
        }
        return out;
    }

    private Match grow(FileChannel next, long at, long place, long least, long end) throws IOException {
        long back = 0;
        long most = Math.min(at - least, place - from);
        for (int step = 4096; back < most; ) {
            int count = (int) Math.min(step, most - back);
            byte[] a = Ranges.read(next, at - back - count, count);
            byte[] b = Ranges.read(base, place - back - count, count);
            int equal = 0;
            while (equal < count && a[count - 1 - equal] == b[count - 1 - equal]) {
                equal++;
            }
            back += equal;
            if (equal < count) {
                break;
            }
        }
        long forth = 0;
        most = Math.min(end - at, to - place);
        for (int step = 4096; forth < most; step = Math.min(1 << 20, 4 * step)) {
            int count = (int) Math.min(step, most - forth);
            byte[] a = Ranges.read(next, at + forth, count);
            byte[] b = Ranges.read(base, place + forth, count);
            int different = Arrays.mismatch(a, b);
            forth += different < 0 ? count : different;
            if (different >= 0) {
                break;
            }
        }
        return new Match(at - back, at + forth, place - back);
    }

    private static void join(List<Match> out, Match match) {
        if (!out.isEmpty()) {
            Match before = out.getLast();
            boolean aligned = before.start() - before.base() == match.start() - match.base();
            if (aligned && match.start() - before.end() <= BRIDGE) {
                out.set(out.size() - 1, new Match(before.start(), match.end(), before.base()));
                return;
            }
        }
        out.add(match);
    }
}
