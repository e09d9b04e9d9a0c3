package dev.holdfast.link;

import java.util.List;

/** What a broker sends to a client that uses QoS 1: MQTT 5.0 section 3. */
sealed interface Packet {
    /**
     * @param said the broker's own words, or empty
     * @param receiveMaximum how many of our messages it takes before it acknowledges one
     * @param qos1 whether it takes messages of QoS 1 at all
     * @param maxPacketBytes the longest packet that it takes
     * @param keepAliveSeconds what it says instead of our own, or -1
     * @param wildcards whether a subscription may have {@code +} and {@code #}
     * @param shared whether one may begin with {@code $share/}
     */
    record ConnAck(
            int reason,
            String said,
            int receiveMaximum,
            boolean qos1,
            boolean retains,
            long maxPacketBytes,
            int keepAliveSeconds,
            boolean wildcards,
            boolean shared)
            implements Packet {
        /** What the client library is told to keep to: the shorter of both keep-alives; its own where the broker has none. */
        ConnAck within(int ownKeepAliveSeconds) {
            int seconds = keepAliveSeconds > 0 && keepAliveSeconds < ownKeepAliveSeconds ? keepAliveSeconds : -1;
            return new ConnAck(reason, said, receiveMaximum, qos1, retains, maxPacketBytes, seconds, wildcards, shared);
        }
    }

    /** @param id 0 where it wants no acknowledgement */
    record Publish(String topic, byte[] payload, int id) implements Packet {}

    record PubAck(int id, int reason) implements Packet {}

    record SubAck(int id, List<Integer> reasons) implements Packet {
        public SubAck {
            reasons = List.copyOf(reasons);
        }
    }

    record PingResponse() implements Packet {}

    record Disconnect(int reason, String said) implements Packet {}
}
