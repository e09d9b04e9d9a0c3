package dev.holdfast.agent.metrics;

import dev.holdfast.attestation.ChallengeQueue;
import dev.holdfast.tee.TeeException;
import dev.holdfast.updater.InstallRecord;
import dev.holdfast.updater.InstallState;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.time.Instant;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;

/** What is counted since the agent's start. What may be counted apart is of our choosing: kinds of messages, outcomes, codes. Thread-safe. */
public final class AgentCounters {
    /** What the broker brings. */
    public enum Inbound {
        ANSWER,
        HINT,
        CHALLENGE,
        UNKNOWN;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final ConcurrentMap<String, LongAdder> received = new ConcurrentHashMap<>();
    private final ConcurrentMap<String, LongAdder> refused = new ConcurrentHashMap<>();
    private final ConcurrentMap<String, LongAdder> installs = new ConcurrentHashMap<>();
    private final ConcurrentMap<String, LongAdder> evidence = new ConcurrentHashMap<>();
    private volatile Optional<Instant> lastEvidence = Optional.empty();

    /**
     * A message came.
     *
     * @param why it is of no use, where it is not
     */
    public void received(Inbound kind, int bytes, Optional<Rejection> why) {
        add(received, PrometheusText.labels("kind", kind.toString()), bytes);
        why.ifPresent(reason -> add(refused, code(reason.code()), bytes));
    }

    /** An install entered a state; those that end it count. */
    public void entered(InstallRecord record) {
        String outcome = switch (record.state()) {
            case InstallState.COMMITTED -> "committed";
            case InstallState.ROLLED_BACK -> "rolled-back";
            case InstallState.FAILED -> "failed";
            default -> "";
        };
        if (!outcome.isEmpty()) {
            String code = record.reason().map(why -> why.code().id()).orElse("");
            add(installs, PrometheusText.labels("outcome", outcome, "code", code), 1);
        }
    }

    /**
     * Counts what is made and what is not.
     *
     * @param reason of a failure
     */
    public ChallengeQueue.Source counting(ChallengeQueue.Source source, Function<Exception, Rejection> reason) {
        return nonce -> {
            try {
                byte[] made = source.attest(nonce);
                lastEvidence = Optional.of(Instant.now());
                add(evidence, PrometheusText.labels("code", ""), 1);
                return made;
            } catch (TeeException | IOException e) {
                add(evidence, code(reason.apply(e).code()), 1);
                throw e;
            }
        };
    }

    private static String code(Code code) {
        return PrometheusText.labels("code", code.id());
    }

    private static void add(ConcurrentMap<String, LongAdder> counters, String labels, long count) {
        counters.computeIfAbsent(labels, unused -> new LongAdder()).add(count);
    }

    Map<String, Long> received() {
        return counted(received);
    }

    Map<String, Long> refused() {
        return counted(refused);
    }

    Map<String, Long> installs() {
        return counted(installs);
    }

    Map<String, Long> evidence() {
        return counted(evidence);
    }

    Optional<Instant> lastEvidence() {
        return lastEvidence;
    }

    private static Map<String, Long> counted(ConcurrentMap<String, LongAdder> counters) {
        Map<String, Long> all = new TreeMap<>();
        counters.forEach((labels, count) -> all.put(labels, count.sum()));
        return all;
    }
}
