package dev.holdfast.link;

import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * How to reach the broker.
 *
 * @param access what is shown to the broker, and whom to take for it
 * @param clientId MQTT client id, one of {@link ClientId}
 * @param subscriptions at most 8 filters, renewed after each connect
 * @param presence topic that holds {@code 1} (retained) while connected, and {@code 0} by the last will
 */
public record LinkConfig(
        BrokerAddress broker,
        BrokerAccess access,
        String clientId,
        List<String> subscriptions,
        Optional<String> presence,
        Pace pace) {
    public LinkConfig {
        subscriptions = List.copyOf(subscriptions);
    }

    /**
     * How long things may take.
     *
     * @param answer how long each answer of the broker may take
     * @param firstRetry shortest pause before the next attempt; doubles up to {@code lastRetry}, with full jitter
     * @param lastRetry longest pause
     * @param keepAlive longest silence before the broker is asked whether it is there, whole seconds; a broker may ask for less
     * @param afterLoss pause before the first attempt after a connection was lost that had been stable
     */
    public record Pace(
            Duration answer, Duration firstRetry, Duration lastRetry, Duration keepAlive, Duration afterLoss) {
        /** Suits one program that people wait for. */
        public static final Pace DEFAULT = new Pace(
                Duration.ofSeconds(15),
                Duration.ofMillis(500),
                Duration.ofMinutes(5),
                Duration.ofSeconds(30),
                Duration.ZERO);

        private static final int MAX_KEEP_ALIVE_SECONDS = 65_535;

        public Pace {
            if (keepAlive.toSeconds() < 1 || keepAlive.toSeconds() > MAX_KEEP_ALIVE_SECONDS) {
                throw new IllegalArgumentException("keep-alive of " + keepAlive);
            }
        }

        int keepAliveSeconds() {
            return (int) keepAlive.toSeconds();
        }

        /** The same with other times for a fleet's device, whose name {@code of} says when it comes back within {@code spread}. */
        public Pace of(Topics of, Duration keepAlive, Duration lastRetry, Duration spread) {
            return new Pace(answer, firstRetry, lastRetry, keepAlive, phase(of, spread));
        }

        /**
         * The moment within {@code spread} that is this device's. It is always the same one, and those of a fleet are evenly spread:
         * all that lost their broker in one moment come back one after the other, and a test can say when.
         */
        static Duration phase(Topics of, Duration spread) {
            byte[] name = ("holdfast-reconnect " + of.fleet() + "/" + of.device()).getBytes(StandardCharsets.UTF_8);
            byte[] hash = Sha256.of(name).toArray();
            long part = (hash[0] & 0xffL) << 16 | (hash[1] & 0xffL) << 8 | hash[2] & 0xffL;
            return Duration.ofMillis(spread.toMillis() * part >> 24);
        }
    }

    public static LinkConfig of(BrokerAddress broker, String clientId, List<String> subscriptions) {
        return new LinkConfig(broker, BrokerAccess.ANONYMOUS, clientId, subscriptions, Optional.empty(), Pace.DEFAULT);
    }

    /** The same for an address that was checked when it was read. */
    public static LinkConfig of(String broker, String clientId, List<String> subscriptions) {
        return switch (BrokerAddress.parse(broker)) {
            case Verdict.Accepted<BrokerAddress>(BrokerAddress address) -> of(address, clientId, subscriptions);
            case Verdict.Rejected<BrokerAddress> refused ->
                throw new IllegalArgumentException(refused.reason().toString());
        };
    }

    public LinkConfig withPresence(String topic) {
        return new LinkConfig(broker, access, clientId, subscriptions, Optional.of(topic), pace);
    }

    public LinkConfig with(BrokerAccess other) {
        return new LinkConfig(broker, other, clientId, subscriptions, presence, pace);
    }

    public LinkConfig with(Pace other) {
        return new LinkConfig(broker, access, clientId, subscriptions, presence, other);
    }

    public LinkConfig withPace(Duration answer, Duration first, Duration last) {
        return with(new Pace(answer, first, last, pace.keepAlive(), pace.afterLoss()));
    }
}
