package dev.holdfast.fleet;

import dev.holdfast.link.Challenge;
import dev.holdfast.link.ClientId;
import dev.holdfast.link.Evidence;
import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.LinkException;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.link.Topics;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Subject;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The fleet service on MQTT. Questions are answered on virtual threads. Who asks is the name in the topic: the enrolled devices have a
 * share of the service that no other name takes from, and within it each its turn; names that are not enrolled have a small one. A
 * device that asks too much is told to come back.
 *
 * <p>Where the broker's access list lets a client publish below its own name alone, a flood costs its sender and nobody else. Without
 * such a list anybody may ask in the name of a device: then that one waits behind questions that are not its own, and no other does.
 */
public final class FleetService implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FleetService.class);
    private static final QuestionQueue.Share ENROLLED = new QuestionQueue.Share(56, 28, 4096, 32, 16L * 1024 * 1024);
    private static final QuestionQueue.Share STRANGERS = new QuestionQueue.Share(8, 2, 1024, 4, 4L * 1024 * 1024);
    private static final int MAX_REFUSALS = 64;
    /** How the names of the threads begin without which the service would look well and do nothing. */
    public static final List<String> VITAL_THREADS =
            List.of("link-keeper", "link-inbound", "fleet-reports", "fleet-attest");

    private final FleetDirectory directory;
    private final String fleet;
    private final FleetResponder responder;
    private final DeviceReports reports;
    private final DeviceWatch watch;
    private final QuietLog quiet = new QuietLog(LOG);
    private final QuestionQueue enrolled = new QuestionQueue(ENROLLED, System::nanoTime);
    private final QuestionQueue strangers = new QuestionQueue(STRANGERS, System::nanoTime);
    private final Semaphore refusals = new Semaphore(MAX_REFUSALS);
    private final ExecutorService workers = Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("fleet-answer-", 0).factory());
    private volatile CompletableFuture<MqttLink> link = new CompletableFuture<>();

    private FleetService(
            FleetDirectory directory,
            String fleet,
            FleetResponder responder,
            DeviceReports reports,
            DeviceWatch watch) {
        this.watch = watch;
        this.directory = directory;
        this.fleet = fleet;
        this.responder = responder;
        this.reports = reports;
    }

    /** Starts to connect and to serve. @param watch who hears of evidence and reports */
    public static FleetService start(
            FleetDirectory directory, FleetDirectory.Config config, FleetResponder responder, DeviceWatch watch)
            throws IOException, RejectedException {
        String fleet = config.name();
        DeviceReports reports = DeviceReports.start(directory, Clock.systemUTC(), watch);
        FleetService service = new FleetService(directory, fleet, responder, reports, watch);
        service.link.complete(ReconnectingLink.open(service.way(config), service::received));
        return service;
    }

    private LinkConfig way(FleetDirectory.Config config) throws RejectedException {
        List<String> filters = List.of(
                Topics.allDevices(fleet, Topics.ASK),
                Topics.allDevices(fleet, Topics.STATUS),
                Topics.allDevices(fleet, Topics.ONLINE),
                Topics.allDevices(fleet, Topics.EVIDENCE));
        return config.broker().link(ClientId.fresh(fleet, "service"), filters);
    }

    /**
     * Reaches the broker in another way from now on. Answers that were on their way may be lost, and devices ask again.
     *
     * @throws RejectedException where the settings do not hold; then all stays as it was
     */
    public synchronized void reach(FleetDirectory.Config config) throws IOException, RejectedException {
        LinkConfig next = way(config);
        MqttLink before = link.join();
        CompletableFuture<MqttLink> fresh = new CompletableFuture<>();
        link = fresh;
        fresh.complete(ReconnectingLink.open(next, this::received));
        before.close();
    }

    /** Sends a challenge; {@link LinkException} where it did not reach the broker. */
    public void challenge(Topics device, Challenge challenge) throws LinkException {
        if (!link.isDone()) {
            throw LinkException.of(new Rejection(Code.LNK_DOWN, "not connected yet"));
        }
        link.join().publish(device.challenge(), challenge.encode(), false);
    }

    /** Tells a device that an order of this number waits. One that it does not reach asks by itself. */
    public void hint(String device, long order) {
        if (!link.isDone()) {
            return;
        }
        try {
            byte[] number = Long.toString(order).getBytes(StandardCharsets.US_ASCII);
            link.join().publish(new Topics(fleet, device).desired(), number, true);
        } catch (LinkException e) {
            LOG.debug("no hint to {}: {}", Subject.device(device), e.rejection());
        }
    }

    /** Why the broker is not reached; empty while it is, and before the first attempt failed. */
    public Optional<Rejection> trouble() {
        return link.isDone() && !link.join().connected() ? link.join().status().lost() : Optional.empty();
    }

    public boolean connected() {
        return link.isDone() && link.join().connected();
    }

    private void received(MqttLink.Inbound message) {
        switch (Topics.parse(message.topic())) {
            case Verdict.Rejected<Topics>(var why) -> quiet.warn("{}", why);
            case Verdict.Accepted<Topics>(Topics from) -> {
                if (!from.fleet().equals(fleet)) {
                    quiet.warn("{}", new Rejection(Code.LNK_TOPIC, "of another fleet"));
                } else if (message.topic().equals(from.ask())) {
                    asked(from, message.payload());
                } else if (message.topic().equals(from.status())) {
                    reports.reported(from.device(), message.payload());
                } else if (message.topic().equals(from.online())) {
                    reports.presence(from.device(), message.payload());
                } else if (message.topic().equals(from.evidence())
                        && Evidence.decode(message.payload()) instanceof Verdict.Accepted<Evidence>(Evidence part)) {
                    watch.evidence(from.device(), part);
                }
            }
        }
    }

    private void asked(Topics from, byte[] payload) {
        switch (Request.decode(payload)) {
            case Verdict.Rejected<Request>(var why) ->
                quiet.warn("{} in a question of {}", why, Subject.device(from.device()));
            case Verdict.Accepted<Request>(Request ask) -> {
                QuestionQueue queue = directory.isEnrolled(from.device()) ? enrolled : strangers;
                switch (queue.offer(from, ask, payload.length)) {
                    case WAITS -> begin(queue);
                    case REFUSED -> refuse(from, ask);
                    case DROPPED -> {}
                }
            }
        }
    }

    /** Begins whatever may begin. */
    private void begin(QuestionQueue queue) {
        for (Optional<QuestionQueue.Question> next = queue.next(); next.isPresent(); next = queue.next()) {
            QuestionQueue.Question question = next.get();
            try {
                workers.execute(() -> {
                    try {
                        answer(question.from, question.ask);
                    } finally {
                        queue.done(question);
                        begin(queue);
                    }
                });
            } catch (RejectedExecutionException e) {
                // The service ends.
                queue.done(question);
                return;
            }
        }
    }

    private void answer(Topics from, Request ask) {
        if (ask.body() instanceof Request.Director && !directory.isEnrolled(from.device())) {
            // A device that the fleet forgot learns it so.
            send(from, List.of(FleetResponder.refused(ask, Code.ATT_NOT_ENROLLED, "enrol first")));
            return;
        }
        List<Reply> answers = responder.answer(from, ask);
        if (ask.body() instanceof Request.Prove && answers.getFirst().body() instanceof Reply.Enrolment) {
            reports.enrolled(from.device());
        }
        send(from, answers);
    }

    /** Refusing costs a publish too, which must not block the inbound thread; not even that is done for everyone. */
    private void refuse(Topics from, Request ask) {
        if (refusals.tryAcquire()) {
            try {
                workers.execute(() -> {
                    try {
                        send(from, List.of(FleetResponder.busy(ask)));
                    } finally {
                        refusals.release();
                    }
                });
            } catch (RejectedExecutionException e) {
                refusals.release();
            }
        }
    }

    private void send(Topics to, List<Reply> answers) {
        for (Reply answer : answers) {
            try {
                link.join().publish(to.answer(), answer.encode(), false);
            } catch (LinkException e) {
                quiet.warn("no answer to {}: {}", Subject.device(to.device()), e.rejection());
                if (e.rejection().code() == Code.LNK_LIMIT && !(answer.body() instanceof Reply.Refused)) {
                    // Short enough for any broker, and the device then asks for less.
                    send(to, List.of(refused(answer, e.rejection())));
                }
                return;
            }
        }
    }

    private static Reply refused(Reply answer, Rejection why) {
        return new Reply(answer.id(), new Reply.Refused(why.code().id(), why.detail()));
    }

    @Override
    public void close() {
        workers.shutdown();
        link.join().close();
        reports.close();
    }
}
