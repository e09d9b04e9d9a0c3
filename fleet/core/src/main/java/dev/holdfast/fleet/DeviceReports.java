package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Subject;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What devices say of themselves. Of each enrolled device the last report and presence are in files, written at most once a second by
 * the thread {@code fleet-reports}; how many others speak is nothing to them. Of names that are not enrolled, which anybody can make
 * up where the broker has no access list, some are remembered in memory until they enrol: the newest {@value #MAX_STRANGERS}, for an
 * hour. Thread-safe; calls do not block.
 */
final class DeviceReports implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DeviceReports.class);
    static final int MAX_REPORT_BYTES = 64 * 1024;
    static final int MAX_STRANGERS = 1024;
    static final long MAX_STRANGER_BYTES = 4L * 1024 * 1024;
    /** Of reports that wait to be written. One that finds no place is lost; its device reports again. */
    static final long MAX_WAITING_BYTES = 16L * 1024 * 1024;

    private static final Duration STRANGER_LIFE = Duration.ofHours(1);
    private static final Duration ROUND = Duration.ofSeconds(1);
    private static final Binary ONLINE = Binary.copyOf("1".getBytes(StandardCharsets.US_ASCII));

    /** The last of each that a device said. */
    private record Said(Optional<Binary> report, Optional<Binary> online) {
        private static final Said NOTHING = new Said(Optional.empty(), Optional.empty());

        private Said then(Said later) {
            return new Said(later.report.or(() -> report), later.online.or(() -> online));
        }

        private long bytes() {
            return report.map(Binary::length).orElse(0);
        }
    }

    private record Stranger(Said said, long sinceNanos) {}

    private final FleetDirectory directory;
    private final Clock clock;
    private final LongSupplier nanoTime;
    private final DeviceWatch watch;
    private final QuietLog quiet = new QuietLog(LOG);
    private final Map<String, Said> waiting = new LinkedHashMap<>();
    /** The one that spoke last is at the end. */
    private final LinkedHashMap<String, Stranger> strangers = new LinkedHashMap<>(16, 0.75f, true);

    private final Thread writer =
            Thread.ofPlatform().name("fleet-reports").daemon().unstarted(this::write);
    /** Used by the thread that writes. */
    private final DeviceSessions sessions;

    private long waitingBytes;
    private long strangerBytes;
    private boolean closed;

    private DeviceReports(FleetDirectory directory, Clock clock, LongSupplier nanoTime, DeviceWatch watch) {
        this.watch = watch;
        this.directory = directory;
        this.clock = clock;
        this.nanoTime = nanoTime;
        this.sessions = new DeviceSessions(clock, nanoTime);
    }

    /** Starts the thread, and removes what an earlier version kept of devices that are not enrolled. */
    static DeviceReports start(FleetDirectory directory, Clock clock, DeviceWatch watch) throws IOException {
        return start(directory, clock, System::nanoTime, watch);
    }

    /** @param nanoTime what all spans of time go by */
    static DeviceReports start(FleetDirectory directory, Clock clock, LongSupplier nanoTime, DeviceWatch watch)
            throws IOException {
        Set<String> known = new HashSet<>(directory.reporters(".json"));
        known.addAll(directory.reporters(".online"));
        for (String device : known) {
            if (!directory.isEnrolled(device)) {
                directory.forgetReports(device);
            }
        }
        DeviceReports reports = new DeviceReports(directory, clock, nanoTime, watch);
        reports.writer.start();
        return reports;
    }

    void reported(String device, byte[] report) {
        if (report.length > MAX_REPORT_BYTES) {
            quiet.warn("{} of {}", new Rejection(Code.WIRE_TOO_LARGE, "a report"), Subject.device(device));
        } else if (report.length > 0) {
            said(device, new Said(Optional.of(Binary.copyOf(report)), Optional.empty()));
        }
    }

    void presence(String device, byte[] payload) {
        if (payload.length == 1 && (payload[0] == '0' || payload[0] == '1')) {
            said(device, new Said(Optional.empty(), Optional.of(Binary.copyOf(payload))));
        }
    }

    /** A device enrolled, hence is there; what it said before that counts now. */
    void enrolled(String device) {
        Said before;
        synchronized (this) {
            Stranger known = strangers.remove(device);
            strangerBytes -= known == null ? 0 : known.said.bytes();
            before = known == null ? Said.NOTHING : known.said;
        }
        said(device, new Said(before.report, Optional.of(ONLINE)));
    }

    private void said(String device, Said news) {
        // A file's existence, each time: it is cheap, right for every process, and nothing that others say can push it
        // out.
        if (directory.isEnrolled(device)) {
            keep(device, news);
        } else {
            remember(device, news);
        }
    }

    private synchronized void keep(String device, Said news) {
        Said before = waiting.getOrDefault(device, Said.NOTHING);
        Said next = before.then(news);
        if (waitingBytes - before.bytes() + next.bytes() > MAX_WAITING_BYTES) {
            quiet.warn(
                    "{} of {}",
                    new Rejection(Code.WIRE_TOO_LARGE, "too many reports wait, and this one is lost: a report"),
                    Subject.device(device));
            next = new Said(before.report, next.online);
        }
        waiting.put(device, next);
        waitingBytes += next.bytes() - before.bytes();
        notifyAll();
    }

    private synchronized void remember(String device, Said news) {
        long now = nanoTime.getAsLong();
        Stranger known = strangers.get(device);
        Said before = known == null ? Said.NOTHING : known.said;
        Said next = before.then(news);
        strangers.put(device, new Stranger(next, now));
        strangerBytes += next.bytes() - before.bytes();
        Iterator<Stranger> eldest = strangers.values().iterator();
        while (eldest.hasNext()) {
            Stranger one = eldest.next();
            if (strangers.size() <= MAX_STRANGERS
                    && strangerBytes <= MAX_STRANGER_BYTES
                    && now - one.sinceNanos < STRANGER_LIFE.toNanos()) {
                return;
            }
            strangerBytes -= one.said.bytes();
            eldest.remove();
        }
    }

    /** For tests: names that are remembered though they are not enrolled. */
    synchronized int strangers() {
        return strangers.size();
    }

    private void write() {
        try {
            while (true) {
                Map<String, Said> round = nextRound();
                if (round.isEmpty()) {
                    return;
                }
                round.forEach(this::write);
                pause();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Empty at the end. */
    private synchronized Map<String, Said> nextRound() throws InterruptedException {
        while (waiting.isEmpty() && !closed) {
            wait();
        }
        Map<String, Said> round = new LinkedHashMap<>(waiting);
        waiting.clear();
        waitingBytes = 0;
        return round;
    }

    private synchronized void pause() throws InterruptedException {
        long end = System.nanoTime() + ROUND.toNanos();
        for (long left = ROUND.toMillis(); left > 0 && !closed; left = (end - System.nanoTime()) / 1_000_000) {
            wait(left);
        }
    }

    private void write(String device, Said said) {
        try {
            if (said.report.isPresent()) {
                byte[] report = said.report.get().toArray();
                switch (Json.readObject(report, MAX_REPORT_BYTES)) {
                    case Verdict.Rejected<JsonNode>(var why) ->
                        quiet.warn("{} in a report of {}", why, Subject.device(device));
                    case Verdict.Accepted<JsonNode>(JsonNode read) -> {
                        store(directory.report(device), report);
                        watch.reported(device, read);
                        suspect(
                                device,
                                sessions.reported(device, read.path("session").asText()));
                    }
                }
            }
            if (said.online.isPresent()) {
                store(directory.online(device), said.online.get().toArray());
                if (said.online.get().equals(ONLINE)) {
                    watch.online(device);
                }
            }
        } catch (IOException e) {
            quiet.warn("report of {}: {}", Subject.device(device), new Rejection(Code.FLT_IO, e.toString()));
        } catch (RuntimeException e) {
            // One device's report ends the service for no other.
            quiet.warn("a report of {} could not be kept", Subject.device(device), e);
        }
    }

    private void suspect(String device, Optional<DeviceSessions.Suspicion> suspicion) throws IOException {
        if (suspicion.isEmpty()) {
            return;
        }
        Instant since = suspicion.get().since();
        quiet.warn(
                "{}: {}",
                Subject.device(device),
                new Rejection(Code.FLT_CLONE, "two processes report under this name since " + since));
        store(
                directory.clone(device),
                Json.write(Json.object()
                        .put("since", since.toString())
                        .put("at", clock.instant().toString())
                        .put("returns", suspicion.get().returns())));
    }

    /** A report is worth no fsync: the next one replaces it. */
    private static void store(Path file, byte[] bytes) throws IOException {
        Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
        Files.write(temporary, bytes);
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Writes what waits, then ends. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        try {
            writer.join(Duration.ofSeconds(5));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
