package dev.holdfast.fleet.rollout;

import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.time.Instant;
import java.util.Collection;
import java.util.Optional;

/** What rollouts see of the fleet, and what they do to it. */
public interface Fleet {
    /**
     * What a device said last, of one model. It is its word and no proof.
     *
     * @param at when it came, by the fleet's clock
     * @param serving the version that serves; empty where none does
     * @param settled whether nothing is under way: no install, no probation
     * @param installing the version that it is at, and how far
     * @param failure its last failure
     * @param refused the code by which it refuses its order now
     */
    record Word(
            Instant at,
            Optional<String> serving,
            boolean settled,
            Optional<Installing> installing,
            Optional<Failure> failure,
            Optional<Refusal> refused) {}

    record Installing(String version, String state) {}

    /** @param at by the device's clock */
    record Failure(String version, String at, boolean rolledBack, String code) {}

    /**
     * What the device refused last.
     *
     * @param at when, by the device's clock; empty of an agent that does not say
     */
    record Refusal(String code, String detail, String at) {
        /** Differs from what it refused before. */
        String occasion() {
            return at.isEmpty() ? code + ": " + detail : at;
        }
    }

    /**
     * What the last look at a device's evidence came to, for one model.
     *
     * @param asked when the question was sent
     * @param affirming whether all that policy asks is met
     * @param code why not
     * @param digest of the model that serves, as the evidence proves it; empty where it proves none
     */
    record Proof(Instant asked, boolean affirming, Optional<String> code, Optional<Sha256> digest, String version) {}

    /** The enrolled devices that orders can be given to, sorted. */
    Collection<String> devices() throws IOException, RejectedException;

    /** The version that is desired of the device now; empty where the model is not. */
    Optional<String> desired(String device, String model) throws IOException, RejectedException;

    /** Orders the version. @return the order's number; {@code UPD-TARGET-UNKNOWN} where it is not published */
    long order(String device, String model, String version, Optional<Rollout> terms)
            throws IOException, RejectedException;

    /** Orders the device to drop the model. */
    void drop(String device, String model) throws IOException, RejectedException;

    /** The digest that a published release has; {@code UPD-TARGET-UNKNOWN} where it is not published. */
    Sha256 digest(String model, String version) throws IOException, RejectedException;

    /** Empty where the device never reported. */
    Optional<Word> word(String device, String model) throws IOException;

    /** Has evidence of the device asked for soon; said again and again until it came. */
    void ask(String device);

    /** Empty where no evidence of the device was ever appraised. */
    Optional<Proof> proof(String device, String model) throws IOException, RejectedException;
}
