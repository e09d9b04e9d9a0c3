package dev.holdfast.link;

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

        /** Messages came faster than they were taken, and some were dropped: what they would have said is to be asked for. */
        default void missed() {}
    }

    /** @throws LinkException where the broker is away, refused the message or did not acknowledge it in time */
    void publish(String topic, byte[] payload, boolean retained) throws LinkException;

    LinkStatus status();

    /**
     * Says that something of worth came over the present connection, a block that holds for instance. When it is lost the next attempt
     * comes soon, however short it was, unless another client took it over.
     */
    default void useful() {}

    /** Bytes of the longest packet that the broker takes, as it said last; as many as there are where it set no limit. */
    default long maxPacketBytes() {
        return Long.MAX_VALUE;
    }

    default boolean connected() {
        return status().connected();
    }

    @Override
    void close();
}
