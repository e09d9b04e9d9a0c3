package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.agent.pace.Alarm;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.EnrolmentToken;
import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the fleet this device's keys, by the credential of TPM 2.0 Part 1 where the TEE has one, and fetches its certificates: at
 * first, before they expire, and when signed metadata names another authority. Whoever answers in the fleet's place is not believed,
 * and the answer after theirs is waited for. One thread, but for {@link #status}.
 */
final class Enrolment {
    private static final Logger LOG = LoggerFactory.getLogger(Enrolment.class);
    private static final Duration FIRST_PAUSE = Duration.ofMinutes(1);
    private static final int MAX_DOUBLINGS = 6;
    /** Of a device that waits to be let in. The fleet checks a proof each time. */
    private static final Duration FIRST_WAIT = Duration.ofSeconds(20);

    private static final Duration LONGEST_WAIT = Duration.ofMinutes(10);

    private final TeeBridge bridge;
    private final String device;
    private final Optional<Path> tokenFile;
    private final FleetClient fleet;
    private final CertificateStore certificates;
    private final InstantSource clock;
    private final RandomGenerator random;
    private final LongSupplier nanoTime;
    /** Of the trusted root at the last look. */
    private volatile Set<Sha256> named = Set.of();

    /** By which the fleet knows this device, as of the first attempt. */
    private volatile Optional<Sha256> endorsement = Optional.empty();

    /** Why the device waits to be let in; empty while it does not. */
    private volatile Optional<Rejection> pending = Optional.empty();

    private volatile String token = "";
    private int waited;
    private int failures;
    /** Goes by a clock that nobody sets: one that was wrong must hold up no renewal. */
    private Duration pause = Duration.ZERO;

    private Duration wait = Duration.ZERO;

    private long pausedAtNanos;

    /** Of a device that has a name. */
    static Enrolment of(
            AgentConfig config,
            TeeBridge bridge,
            FleetClient fleet,
            CertificateStore certificates,
            InstantSource clock) {
        return new Enrolment(
                bridge,
                config.topics().device(),
                config.identity().token(),
                fleet,
                certificates,
                clock,
                new SecureRandom());
    }

    Enrolment(
            TeeBridge bridge,
            String device,
            Optional<Path> tokenFile,
            FleetClient fleet,
            CertificateStore certificates,
            InstantSource clock,
            RandomGenerator random) {
        this(bridge, device, tokenFile, fleet, certificates, clock, random, System::nanoTime);
    }

    Enrolment(
            TeeBridge bridge,
            String device,
            Optional<Path> tokenFile,
            FleetClient fleet,
            CertificateStore certificates,
            InstantSource clock,
            RandomGenerator random,
            LongSupplier nanoTime) {
        this.bridge = bridge;
        this.device = device;
        this.tokenFile = tokenFile;
        this.fleet = fleet;
        this.certificates = certificates;
        this.clock = clock;
        this.random = random;
        this.nanoTime = nanoTime;
    }

    /**
     * Enrols.
     *
     * @param authorities keys of those that signed metadata names; where empty, the one that issued first is believed
     * @return empty where the fleet took the keys and the certificates are kept; {@code ATT-PENDING} where somebody has to let the device
     *     in; {@code ATT-CERTIFICATE} where it may have taken the keys,
     *     and no certificates came that are to be believed; else why it did not
     */
    Optional<Rejection> run(Set<Sha256> authorities) throws IOException, TeeException {
        pace(false); // Until it is done, also where nobody answers.
        DeviceEnrolment enrolment = new DeviceEnrolment(bridge, device);
        endorsement = Optional.of(enrolment.endorsement());
        Optional<EnrolmentToken> mine = token();
        pending = Optional.empty();
        try {
            byte[] proof = fleet.first(
                    new Request.Enrol(Binary.copyOf(enrolment.request())),
                    answer -> prove(enrolment, message(answer), mine));
            DeviceEnrolment.Issued issued = fleet.first(
                    new Request.Prove(Binary.copyOf(proof)),
                    answer -> enrolment
                            .complete(message(answer).toArray(), certificates.trusted(authorities), clock.instant())
                            .orThrow());
            certificates.keep(issued);
            waited = 0;
            // One that is not newer may come back, where the clocks differ by a little: then it is asked again, later.
            if (!certificates.isDue(authorities)) {
                pace(true);
            }
            return Optional.empty();
        } catch (RejectedException e) {
            return Optional.of(e.rejection());
        } catch (SourceException e) {
            Rejection reason = SourceException.reasonOf(e);
            if (reason.code() != Code.ATT_PENDING) {
                throw e;
            }
            pending = Optional.of(reason);
            long most = Math.min(FIRST_WAIT.toMillis() << Math.min(waited++, MAX_DOUBLINGS), LONGEST_WAIT.toMillis());
            wait = Duration.ofMillis(most / 2 + random.nextLong(most / 2));
            return pending;
        }
    }

    /** The pause of a device that waits to be let in; whoever lets it in ends it by a hint. Empty where it does not wait. */
    Optional<Alarm.Pause> waiting() {
        return pending.map(
                why -> Alarm.Pause.of(wait, "somebody who lets this device in: fleet devices accept " + device)
                        .endedByHintsAfter(UpdateLoop.HINTED_LOOKS));
    }

    /** While {@link #first} has not succeeded. */
    Phase phase() {
        return pending.isPresent() ? new Phase.Pending() : new Phase.Enrolling();
    }

    /** A token that cannot be used keeps the device from nothing but the short way in. */
    private Optional<EnrolmentToken> token() {
        if (tokenFile.isEmpty()) {
            token = "none";
            return Optional.empty();
        }
        return switch (EnrolmentToken.read(tokenFile.get())) {
            case Verdict.Accepted<EnrolmentToken>(EnrolmentToken read) -> {
                token = read.id();
                yield Optional.of(read);
            }
            case Verdict.Rejected<EnrolmentToken>(Rejection why) -> {
                if (!token.equals(why.toString())) {
                    LOG.warn("enrolment-token-file: {}", why);
                }
                token = why.toString();
                yield Optional.empty();
            }
        };
    }

    private void pace(boolean done) {
        failures = done ? 0 : Math.min(failures + 1, MAX_DOUBLINGS);
        long most = FIRST_PAUSE.toMillis() << Math.max(failures - 1, 0);
        pause = done ? Duration.ZERO : Duration.ofMillis(most / 2 + random.nextLong(most / 2));
        pausedAtNanos = nanoTime.getAsLong();
    }

    /** Enrols as in {@link #run}; a root that names nobody yet is brought up to date first, where that can be done. */
    Optional<Rejection> first(TrustClient trust) throws IOException, TeeException {
        if (trust.deviceAuthorities().isEmpty() && trust.refresh() instanceof Verdict.Rejected<?>(Rejection reason)) {
            LOG.info("before enrolment: {}", reason);
        }
        named = trust.deviceAuthorities();
        return run(named);
    }

    /** Fetches certificates where they are missing or old, and says why none came. Orders do not wait for them. */
    Optional<Rejection> renew(TrustClient trust) throws TeeException {
        return renew(trust.deviceAuthorities());
    }

    /** The same for the authorities that signed metadata names. */
    Optional<Rejection> renew(Set<Sha256> authorities) throws TeeException {
        named = authorities;
        if (!certificates.isDue(named) || !left().isZero()) {
            return Optional.empty();
        }
        try {
            return run(named);
        } catch (IOException e) {
            return Optional.of(Faults.reasonOf(e));
        }
    }

    /** After how long certificates that could not be had are asked for again; empty where none are missing. */
    Optional<Duration> again() {
        return certificates.isDue(named) ? Optional.of(left()) : Optional.empty();
    }

    private Duration left() {
        Duration left = pause.minusNanos(nanoTime.getAsLong() - pausedAtNanos);
        return left.isNegative() ? Duration.ZERO : left;
    }

    /** The broker let the device in. */
    void connected() {
        try {
            certificates.connected();
        } catch (IOException e) {
            LOG.warn("the renewed certificate stays beside the old one: {}", e.getMessage());
        }
    }

    /** For {@code holdfast status}: {@code enrolment} and {@code certificate}. Any thread. */
    ObjectNode status(boolean enrolled) {
        ObjectNode status = Json.object();
        ObjectNode enrolment = status.putObject("enrolment")
                .put("state", pending.isPresent() ? "pending" : enrolled ? "enrolled" : "asking");
        endorsement.ifPresent(key -> enrolment.put("endorsement", key.hex()));
        pending.ifPresent(why -> enrolment.put("detail", why.detail()));
        if (!token.isEmpty()) {
            enrolment.put("token", token);
        }
        status.set("certificate", certificates.status(named));
        return status;
    }

    private static Binary message(Reply.Body answer) throws RejectedException {
        if (answer instanceof Reply.Enrolment(Binary message)) {
            return message;
        }
        throw new RejectedException(Code.ATT_ENROL, "the service answered something else");
    }

    /** A credential that the TEE does not open is somebody else's. */
    private static byte[] prove(DeviceEnrolment enrolment, Binary challenge, Optional<EnrolmentToken> token)
            throws RejectedException {
        try {
            return enrolment.prove(challenge.toArray(), token).orThrow();
        } catch (TeeException e) {
            throw new RejectedException(Code.ATT_ENROL, "the TEE does not open the credential: " + e.getMessage());
        }
    }
}
