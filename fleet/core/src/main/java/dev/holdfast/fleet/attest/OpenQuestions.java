package dev.holdfast.fleet.attest;

import dev.holdfast.link.Evidence;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The questions that wait for an answer, one for each device at the most. Parts of answers that are not whole have
 * {@value #MAX_BYTES} bytes together; whose question is flooded beyond that loses what is not whole, and no other does. Thread-safe.
 */
final class OpenQuestions {
    static final long MAX_BYTES = 32L * 1024 * 1024;

    /**
     * A question.
     *
     * @param reported what the device said that it serves when it was asked
     */
    record Question(AttestSchedule.Turn turn, Inquiry inquiry, Optional<String> reported, long askedNanos) {
        String device() {
            return turn.device();
        }
    }

    private final Map<String, Question> open = new ConcurrentHashMap<>();
    private final Set<Question> askedAgain = ConcurrentHashMap.newKeySet();

    void put(Question question) {
        open.put(question.device(), question);
    }

    /** Takes a part of whatever came; that for another nonce is of another verifier, or too late. @return whether the answer is there */
    boolean take(String device, Evidence part) {
        Question question = open.get(device);
        if (question == null || !question.inquiry.challenge().nonce().equals(part.nonce())) {
            return false;
        }
        question.inquiry.take(part);
        if (question.inquiry.own().isDone()) {
            return true;
        }
        bound(MAX_BYTES);
        return false;
    }

    void bound(long maxBytes) {
        if (openBytes() > maxBytes) {
            open.values().stream()
                    .map(Question::inquiry)
                    .max(Comparator.comparingLong(Inquiry::openBytes))
                    .ifPresent(Inquiry::forgetParts);
        }
    }

    long openBytes() {
        return open.values().stream()
                .map(Question::inquiry)
                .mapToLong(Inquiry::openBytes)
                .sum();
    }

    List<Question> all() {
        return List.copyOf(open.values());
    }

    /** Whether it was not asked a second time yet; from now on it was. */
    boolean again(Question question) {
        return askedAgain.add(question);
    }

    void remove(String device) {
        Question question = open.remove(device);
        if (question != null) {
            askedAgain.remove(question);
        }
    }

    boolean isEmpty() {
        return open.isEmpty();
    }
}
