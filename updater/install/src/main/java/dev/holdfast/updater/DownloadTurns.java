package dev.holdfast.updater;

import dev.holdfast.wire.Sha256;
import java.time.Duration;
import java.util.Collections;
import java.util.HashSet;
import java.util.Set;

/**
 * What the downloads of different models share: one pace, one sum for the day, so many at a time, and no file that two of them make at once. Thread-safe.
 */
final class DownloadTurns {
    private static final Duration LOOK = Duration.ofMillis(200);

    private final int most;
    private final TokenBucket pace;
    private final DailyBytes daily;
    private final Set<Sha256> making = new HashSet<>();
    private int taken;

    DownloadTurns(InstallerConfig.Pace pace, Timer timer, DailyBytes daily) {
        this.most = pace.downloads();
        this.pace = new TokenBucket(pace.bytesPerSecond(), timer::nanos);
        this.daily = daily;
    }

    TokenBucket pace() {
        return pace;
    }

    /** What all of them pulled today. */
    DailyBytes daily() {
        return daily;
    }

    /** A turn; ended when the files are made. */
    final class Turn {
        private final Set<Sha256> digests;

        private Turn(Set<Sha256> digests) {
            this.digests = digests;
        }

        void end() {
            synchronized (DownloadTurns.this) {
                making.removeAll(digests);
                taken--;
            }
        }
    }

    /** Waits until files of these digests may be made; ends with the install's own cancellation. */
    Turn take(Set<Sha256> digests, Cancellation cancellation) throws InstallStop {
        while (!begin(digests)) {
            cancellation.sleepUnpaused(LOOK);
        }
        return new Turn(Set.copyOf(digests));
    }

    private synchronized boolean begin(Set<Sha256> digests) {
        if (taken >= most || !Collections.disjoint(making, digests)) {
            return false;
        }
        making.addAll(digests);
        taken++;
        return true;
    }
}
