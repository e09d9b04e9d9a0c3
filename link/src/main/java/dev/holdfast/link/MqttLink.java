package dev.holdfast.link;

import java.io.IOException;

/**
 * A connection to a broker that mends itself. Publishing is QoS 1 and blocks until the broker took the message or a
 * deadline passed. Thread-safe.
 */
public interface MqttLink extends AutoCloseable {
    /** A message as it came. */
    record Inbound(String topic, byte[] payload) {}

    /** Takes messages on the link's own thread {@code link-inbound}; must not throw and should not block for long. */
    @FunctionalInterface
    interface Receiver {
        void received(Inbound message);
    }

    /** @throws IOException where the broker is away or did not acknowledge in time */
    void publish(String topic, byte[] payload, boolean retained) throws IOException;

    boolean connected();

    @Override
    void close();
}
