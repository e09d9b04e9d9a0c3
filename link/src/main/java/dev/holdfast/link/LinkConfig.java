package dev.holdfast.link;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLSocketFactory;

/**
 * How to reach the broker.
 *
 * @param brokerUri {@code tcp://host:port} or {@code ssl://host:port}
 * @param clientId MQTT client id
 * @param subscriptions at most 8 filters, renewed after each connect
 * @param presence topic that holds {@code 1} (retained) while connected, and {@code 0} by the last will
 * @param ackDeadline how long connect, subscribe and publish may take each
 * @param firstRetry shortest pause before the next attempt; doubles up to {@code lastRetry}, with full jitter
 * @param lastRetry longest pause
 * @param tls makes the sockets of {@code ssl://}; the JDK's own where empty
 */
public record LinkConfig(
        String brokerUri,
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

    public static LinkConfig of(String brokerUri, String clientId, List<String> subscriptions) {
        return new LinkConfig(
                brokerUri,
                clientId,
                subscriptions,
                Optional.empty(),
                Duration.ofSeconds(15),
                Duration.ofMillis(500),
                Duration.ofMinutes(5),
                Optional.empty());
    }

    public LinkConfig withPresence(String topic) {
        return new LinkConfig(
                brokerUri, clientId, subscriptions, Optional.of(topic), ackDeadline, firstRetry, lastRetry, tls);
    }

    public LinkConfig withTls(SSLSocketFactory factory) {
        return new LinkConfig(
                brokerUri, clientId, subscriptions, presence, ackDeadline, firstRetry, lastRetry, Optional.of(factory));
    }
}
