package dev.holdfast.link;

import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLSocketFactory;

/**
 * How to reach the broker.
 *
 * @param clientId MQTT client id, one of {@link ClientId}
 * @param subscriptions at most 8 filters, renewed after each connect
 * @param presence topic that holds {@code 1} (retained) while connected, and {@code 0} by the last will
 * @param ackDeadline how long each answer of the broker may take
 * @param firstRetry shortest pause before the next attempt; doubles up to {@code lastRetry}, with full jitter
 * @param lastRetry longest pause
 * @param tls makes the sockets of a broker with TLS; the JDK's own where empty
 */
public record LinkConfig(
        BrokerAddress broker,
        String clientId,
        List<String> subscriptions,
        Optional<String> presence,
        Duration ackDeadline,
        Duration firstRetry,
        Duration lastRetry,
        Optional<SSLSocketFactory> tls) {
    public LinkConfig {
        subscriptions = List.copyOf(subscriptions);
    }

    public static LinkConfig of(BrokerAddress broker, String clientId, List<String> subscriptions) {
        return new LinkConfig(
                broker,
                clientId,
                subscriptions,
                Optional.empty(),
                Duration.ofSeconds(15),
                Duration.ofMillis(500),
                Duration.ofMinutes(5),
                Optional.empty());
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
        return new LinkConfig(
                broker, clientId, subscriptions, Optional.of(topic), ackDeadline, firstRetry, lastRetry, tls);
    }

    public LinkConfig withTls(SSLSocketFactory factory) {
        return new LinkConfig(
                broker, clientId, subscriptions, presence, ackDeadline, firstRetry, lastRetry, Optional.of(factory));
    }

    public LinkConfig withPace(Duration answer, Duration first, Duration last) {
        return new LinkConfig(broker, clientId, subscriptions, presence, answer, first, last, tls);
    }
}
