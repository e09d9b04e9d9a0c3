package dev.holdfast.fleet;

import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.PahoLink;
import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.link.Topics;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The fleet service on MQTT. Questions are answered on virtual threads, at most {@value #MAX_JOBS} at a time; beyond that
 * devices are told to come back. Reports are written by one thread, so that the last one that came is the one kept.
 */
public final class FleetService implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FleetService.class);
    private static final int MAX_JOBS = 64;
    private static final int MAX_REPORT_BYTES = 64 * 1024;
    private static final int MAX_REPORTS_WAITING = 1024;
    /** Any client that the broker lets publish can make up devices; this bounds the files that it can cause. */
    private static final int MAX_REPORTERS = 10_000;

    private final FleetDirectory directory;
    private final String fleet;
    private final FleetResponder responder;
    private final Semaphore jobs = new Semaphore(MAX_JOBS);
    private final Semaphore refusals = new Semaphore(MAX_JOBS);
    private final ExecutorService workers = Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("fleet-answer-", 0).factory());
    private final ThreadPoolExecutor reports = new ThreadPoolExecutor(
            1,
            1,
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(MAX_REPORTS_WAITING),
            Thread.ofPlatform().name("fleet-reports").daemon().factory(),
            new ThreadPoolExecutor.DiscardOldestPolicy());
    private final Set<String> reporters = new HashSet<>();
    private final CompletableFuture<MqttLink> link = new CompletableFuture<>();

    private FleetService(FleetDirectory directory, String fleet, FleetResponder responder) {
        this.directory = directory;
        this.fleet = fleet;
        this.responder = responder;
    }

    /** Starts to connect and to serve. */
    public static FleetService start(FleetDirectory directory, String fleet, String broker, FleetResponder responder)
            throws IOException {
        FleetService service = new FleetService(directory, fleet, responder);
        service.reporters.addAll(directory.reporters(".json"));
        service.reporters.addAll(directory.reporters(".online"));
        List<String> filters = List.of(
                Topics.allDevices(fleet, Topics.ASK),
                Topics.allDevices(fleet, Topics.STATUS),
                Topics.allDevices(fleet, Topics.ONLINE));
        String client = "holdfast-fleet-" + UUID.randomUUID();
        service.link.complete(PahoLink.open(LinkConfig.of(broker, client, filters), service::received));
        return service;
    }

    public boolean connected() {
        return link.isDone() && link.join().connected();
    }

    private void received(MqttLink.Inbound message) {
        switch (Topics.parse(message.topic())) {
            case Verdict.Rejected<Topics>(var why) -> LOG.warn("{}", why);
            case Verdict.Accepted<Topics>(Topics from) -> {
                if (!from.fleet().equals(fleet)) {
                    LOG.warn("{} of another fleet", Code.LNK_TOPIC.id());
                } else if (message.topic().equals(from.ask())) {
                    asked(from, message.payload());
                } else if (message.topic().equals(from.status())) {
                    reports.execute(() -> reported(from, message.payload()));
                } else if (message.topic().equals(from.online())) {
                    reports.execute(() -> presence(from, message.payload()));
                }
            }
        }
    }

    private void asked(Topics from, byte[] payload) {
        boolean free = jobs.tryAcquire();
        if (!free && !refusals.tryAcquire()) {
            // Flooded: not even a refusal is worth a thread; devices ask again by themselves.
            return;
        }
        // Refusing costs a publish too, which must not block the inbound thread.
        workers.execute(() -> {
            try {
                switch (Request.decode(payload)) {
                    case Verdict.Rejected<Request>(var why) -> LOG.warn("{} in a question of {}", why, from.device());
                    case Verdict.Accepted<Request>(Request ask) ->
                        send(from, free ? responder.answer(from, ask) : List.of(FleetResponder.busy(ask)));
                }
            } finally {
                (free ? jobs : refusals).release();
            }
        });
    }

    private void send(Topics to, List<Reply> answers) {
        for (Reply answer : answers) {
            try {
                link.join().publish(to.answer(), answer.encode(), false);
            } catch (IOException e) {
                LOG.warn("no answer to {}: {}", to.device(), e.getMessage());
                return;
            }
        }
    }

    private void reported(Topics from, byte[] payload) {
        if (payload.length == 0) {
            return;
        }
        switch (Json.readObject(payload, MAX_REPORT_BYTES)) {
            case Verdict.Rejected<?>(var why) -> LOG.warn("{} in a report of {}", why, from.device());
            case Verdict.Accepted<?> accepted -> store(from, directory.report(from.device()), payload);
        }
    }

    private void presence(Topics from, byte[] payload) {
        String text = new String(payload, StandardCharsets.US_ASCII);
        if (text.equals("0") || text.equals("1")) {
            store(from, directory.online(from.device()), payload);
        }
    }

    /** A report is worth no fsync: the next one replaces it. */
    private void store(Topics from, Path file, byte[] bytes) {
        if (!reporters.contains(from.device()) && reporters.size() >= MAX_REPORTERS) {
            LOG.warn("{} too many devices report, {} is left out", Code.WIRE_TOO_LARGE.id(), from.device());
            return;
        }
        reporters.add(from.device());
        try {
            Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
            Files.write(temporary, bytes);
            Files.move(
                    temporary,
                    file,
                    java.nio.file.StandardCopyOption.ATOMIC_MOVE,
                    java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            LOG.warn("{} report of {}: {}", Code.FLT_IO.id(), from.device(), e.toString());
        }
    }

    @Override
    public void close() {
        workers.shutdown();
        reports.shutdown();
        link.join().close();
    }
}
