package dev.holdfast.fleet.attest;

import dev.holdfast.link.Evidence;
import dev.holdfast.wire.Binary;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * Joins the parts of whatever comes as a device's answer to one nonce. Anybody who reaches the topic may send parts, and which are the
 * device's own is known only of the whole, by its signature. So a part that does not continue what is there begins another candidate,
 * from what was there before it, and spoils none. Where there are too many, one that is chosen by lot makes place: memory has at most
 * {@value #MOST} times {@value Evidence#MAX_TOTAL_BYTES} bytes. Parts of a second answer begin candidates of their own. One thread.
 */
final class EvidenceCandidates {
    /** A few that somebody else began, each with its forks, beside the device's. */
    static final int MOST = 8;

    private record Candidate(int total, byte[] joined) {}

    private final Binary nonce;
    private final RandomGenerator random;
    private final List<Candidate> open = new ArrayList<>();

    EvidenceCandidates(Binary nonce, RandomGenerator random) {
        this.nonce = nonce;
        this.random = random;
    }

    /** What became whole with this part; often nothing. */
    List<byte[]> take(Evidence part) {
        if (!part.nonce().equals(nonce)) {
            return List.of();
        }
        byte[] data = part.data().toArray();
        if (data.length == part.total()) {
            return List.of(data);
        }
        List<byte[]> whole = new ArrayList<>();
        for (byte[] before : continuedBy(part)) {
            byte[] joined = Arrays.copyOf(before, before.length + data.length);
            System.arraycopy(data, 0, joined, before.length, data.length);
            if (joined.length == part.total()) {
                // What it continued stays, in case that this was not its end.
                whole.add(joined);
            } else if (open.stream().noneMatch(known -> isOf(known, part) && begins(known.joined, joined))) {
                keep(before, new Candidate(part.total(), joined));
            }
        }
        return whole;
    }

    /** What ends where the part begins; where nothing does, what did before other parts came. */
    private List<byte[]> continuedBy(Evidence part) {
        if (part.offset() == 0) {
            return List.of(new byte[0]);
        }
        List<byte[]> found = new ArrayList<>();
        for (boolean ends : new boolean[] {true, false}) {
            for (Candidate one : open) {
                if (isOf(one, part)
                        && (ends ? one.joined.length == part.offset() : one.joined.length > part.offset())
                        && found.stream().noneMatch(known -> begins(one.joined, known))) {
                    found.add(Arrays.copyOf(one.joined, part.offset()));
                }
            }
            if (!found.isEmpty()) {
                return found;
            }
        }
        return found;
    }

    private static boolean isOf(Candidate candidate, Evidence part) {
        return candidate.total == part.total();
    }

    private static boolean begins(byte[] longer, byte[] shorter) {
        return longer.length >= shorter.length && Arrays.equals(longer, 0, shorter.length, shorter, 0, shorter.length);
    }

    private void keep(byte[] before, Candidate longer) {
        open.removeIf(one -> before.length > 0 && one.total == longer.total && Arrays.equals(one.joined, before));
        if (open.size() < MOST) {
            open.add(longer);
        } else {
            open.set(random.nextInt(MOST), longer);
        }
    }

    /** Bytes of what is not whole. */
    long bytes() {
        return open.stream().mapToLong(one -> one.joined.length).sum();
    }

    void clear() {
        open.clear();
    }

    /** For tests. */
    int size() {
        return open.size();
    }
}
