package dev.holdfast.fleet.attest;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.fleet.AttestSettings;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.DeviceWatch;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.LastVerdict;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Evidence;
import dev.holdfast.link.LinkException;
import dev.holdfast.link.Topics;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Subject;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks the fleet's devices for evidence, judges it and keeps it, on the thread {@code fleet-attest}: one answer at a time, and at most
 * {@value AttestSchedule#MAX_OPEN} questions open. When it asks is {@link AttestSchedule}'s to say. What it knows is in the fleet's
 * folder, so that another process goes on where this one ended. Thread-safe.
 */
public final class AttestDuty implements DeviceWatch, AutoCloseable {
    /** The way to the devices. */
    @FunctionalInterface
    public interface Sender {
        void challenge(Topics device, Challenge challenge) throws LinkException;
    }

    private static final Logger LOG = LoggerFactory.getLogger(AttestDuty.class);
    /** A device answers within seconds; hardware may take some, and others may be first. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    /** After half of the time once more: what floods the device's topic may have pushed the first question out. */
    private static final Duration AGAIN = PATIENCE.dividedBy(2);

    private static final Duration SCAN = Duration.ofMinutes(5);
    private static final long IDLE_MILLIS = 500;
    private static final long TICK_MILLIS = 1000 / AttestSchedule.PER_SECOND;
    private final Attestation attestation;
    private final FleetDirectory directory;
    private final DeviceRecords records;
    private final String fleet;
    private final Sender sender;
    private final LongSupplier nanoTime;
    private final AttestSchedule schedule;
    private final QuietLog quiet = new QuietLog(LOG);
    private final OpenQuestions open = new OpenQuestions();
    /** What each device says that it serves, and what it said when it was asked last. */
    private final Map<String, String> said = new ConcurrentHashMap<>();

    private final Map<String, String> asked = new ConcurrentHashMap<>();
    private final Thread worker =
            Thread.ofPlatform().name("fleet-attest").daemon().unstarted(this::work);

    private AttestSettings settings;
    private AppraisalPolicy policy;
    private boolean closed;
    private boolean stirred;
    private boolean scanDue = true;

    private AttestDuty(Attestation attestation, String fleet, Sender sender, LongSupplier nanoTime)
            throws IOException, RejectedException {
        this.attestation = attestation;
        this.directory = attestation.repository().directory();
        this.records = new DeviceRecords(directory);
        this.fleet = fleet;
        this.sender = sender;
        this.nanoTime = nanoTime;
        this.schedule = new AttestSchedule(nanoTime, new SecureRandom());
        this.settings = directory.config().attest();
        this.policy = Attestation.policy(settings);
    }

    /**
     * Starts the thread.
     *
     * @param fleet the fleet's name
     * @throws RejectedException where the policy does not hold
     */
    public static AttestDuty start(Attestation attestation, String fleet, Sender sender)
            throws IOException, RejectedException {
        return start(attestation, fleet, sender, System::nanoTime);
    }

    static AttestDuty start(Attestation attestation, String fleet, Sender sender, LongSupplier nanoTime)
            throws IOException, RejectedException {
        AttestDuty duty = new AttestDuty(attestation, fleet, sender, nanoTime);
        duty.worker.start();
        return duty;
    }

    /** Other settings count from now on. */
    public synchronized void use(AttestSettings other, AppraisalPolicy judgedBy) {
        settings = other;
        policy = judgedBy;
        scanDue = true;
        stir();
    }

    private synchronized void stir() {
        stirred = true;
        notifyAll();
    }

    @Override
    public void evidence(String device, Evidence part) {
        if (open.take(device, part)) {
            stir();
        }
    }

    @Override
    public void reported(String device, JsonNode report) {
        if (!schedule.knows(device)) {
            synchronized (this) {
                scanDue = true;
            }
        }
        if (ServedWord.isLeaving(report, attestation.clock().instant())) {
            schedule.bring(device, AttestSchedule.Why.REBOOT);
            stir();
        }
        ServedWord.of(report).ifPresent(word -> {
            said.put(device, word);
            if (schedule.knows(device) && !word.equals(asked.get(device))) {
                schedule.bring(device, AttestSchedule.Why.FLIP);
            }
        });
    }

    /** Asks a device soon, whatever it says: a rollout waits for its proof. Costs nothing to say again. */
    public void ask(String device) {
        schedule.bring(device, AttestSchedule.Why.ROLLOUT);
        stir();
    }

    @Override
    public void online(String device) {
        schedule.bring(device, AttestSchedule.Why.RETURN);
    }

    private void work() {
        long scanned = nanoTime.getAsLong();
        try {
            while (await()) {
                long now = nanoTime.getAsLong();
                boolean scan;
                boolean asks;
                synchronized (this) {
                    scan = scanDue || now - scanned > SCAN.toNanos();
                    scanDue = false;
                    asks = settings.asks();
                }
                if (scan) {
                    scanned = now;
                    scan();
                }
                answers(now);
                while (asks && !isClosed()) {
                    Optional<AttestSchedule.Turn> turn = schedule.next();
                    if (turn.isEmpty()) {
                        break;
                    }
                    ask(turn.get());
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Waits for something to do. @return false at the end */
    private synchronized boolean await() throws InterruptedException {
        if (!stirred && !closed) {
            wait(open.isEmpty() && schedule.isQuiet() ? IDLE_MILLIS : TICK_MILLIS);
        }
        stirred = false;
        return !closed;
    }

    private synchronized boolean isClosed() {
        return closed;
    }

    /** Who is to be asked, and when, by what is in the fleet's folder. */
    private void scan() {
        AttestSettings now;
        synchronized (this) {
            now = settings;
        }
        try {
            Set<String> enrolled = new HashSet<>(directory.enrolled());
            schedule.retain(enrolled);
            said.keySet().retainAll(enrolled);
            asked.keySet().retainAll(enrolled);
            for (String device : enrolled) {
                scan(device, now);
            }
        } catch (IOException | RejectedException e) {
            quiet.warn("{}", new Rejection(Code.FLT_IO, "the devices to ask cannot be listed: " + e.getMessage()));
        }
    }

    private void scan(String device, AttestSettings now) {
        try {
            Optional<LastVerdict> last = LastVerdict.read(directory, device);
            Duration every = now.every(directory, device);
            Duration in = last.map(
                            verdict -> Duration.between(attestation.clock().instant(), verdict.expectedBy(every)))
                    .orElse(Duration.ZERO);
            schedule.put(device, every, last.map(LastVerdict::at), in);
            last.flatMap(LastVerdict::reported).ifPresent(word -> asked.put(device, word));
            String word = said.get(device);
            if (word != null && !word.equals(asked.get(device))) {
                schedule.bring(device, AttestSchedule.Why.FLIP);
            }
        } catch (IOException | RejectedException e) {
            quiet.warn("{}: {}", Subject.device(device), new Rejection(Code.FLT_IO, e.toString()));
        }
    }

    private void ask(AttestSchedule.Turn turn) {
        String device = turn.device();
        Optional<String> word = Optional.ofNullable(said.get(device));
        try {
            Inquiry inquiry = Inquiry.of(records, fleet, device, attestation.clock());
            open.put(new OpenQuestions.Question(turn, inquiry, word, nanoTime.getAsLong()));
            sender.challenge(inquiry.topics(), inquiry.challenge());
            LOG.debug(
                    "{} is asked for evidence: {}",
                    Subject.device(device),
                    turn.why().word());
        } catch (LinkException e) {
            LOG.debug("{} is not asked: {}", Subject.device(device), e.rejection());
            open.remove(device);
            schedule.unasked(device);
        } catch (IOException | RejectedException | RuntimeException e) {
            quiet.warn("{} cannot be asked for evidence: {}", Subject.device(device), e.toString());
            open.remove(device);
            schedule.unasked(device);
        }
    }

    /** What came, what did not, and whom to ask once more. */
    private void answers(long now) {
        for (OpenQuestions.Question question : open.all()) {
            Duration waited = Duration.ofNanos(now - question.askedNanos());
            if (question.inquiry().own().isDone()) {
                judged(question, Optional.of(question.inquiry().own().join()));
            } else if (waited.compareTo(PATIENCE) > 0) {
                judged(question, question.inquiry().another());
            } else if (waited.compareTo(AGAIN) > 0 && open.again(question)) {
                try {
                    sender.challenge(
                            question.inquiry().topics(), question.inquiry().challenge());
                } catch (LinkException e) {
                    LOG.debug("{} is not asked again: {}", Subject.device(question.device()), e.rejection());
                }
            }
        }
    }

    private void judged(OpenQuestions.Question question, Optional<byte[]> evidence) {
        String device = question.device();
        open.remove(device);
        boolean kept = false;
        try {
            if (evidence.isPresent()) {
                judge(question, evidence.get());
                kept = true;
            } else {
                silent(question);
            }
        } catch (IOException | RejectedException | RuntimeException e) {
            quiet.warn(
                    "the evidence of {} could not be kept: {}",
                    Subject.device(device),
                    new Rejection(Code.FLT_IO, e.toString()));
        } finally {
            // An answer by other keys than the enrolled ones is none of the device's, and one that nobody could keep is
            // asked for again.
            schedule.done(device, kept && question.inquiry().own().isDone());
        }
    }

    private void judge(OpenQuestions.Question question, byte[] evidence) throws IOException, RejectedException {
        String device = question.device();
        Optional<LastVerdict> before = LastVerdict.read(directory, device);
        AppraisalPolicy by;
        synchronized (this) {
            by = policy;
        }
        question.reported().ifPresent(word -> asked.put(device, word));
        AttestationResult result = attestation
                .judge(question.inquiry(), evidence, by, question.turn().why().word(), question.reported())
                .result();
        schedule.looked(device, result.at());
        ChangedStatus.tell(quiet, device, before, result.appraisal());
    }

    private void silent(OpenQuestions.Question question) throws IOException, RejectedException {
        String why = question.turn().why().word();
        new VerdictLog(directory)
                .append(
                        question.device(),
                        VerdictLog.Line.silent(attestation.clock().instant(), why));
        LOG.debug("{} did not answer for {} s", Subject.device(question.device()), PATIENCE.toSeconds());
    }

    /** For tests: questions under way. */
    int open() {
        return schedule.open();
    }

    /** Ends the thread; an answer that is being judged is kept first. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        try {
            worker.join(Duration.ofSeconds(5));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
