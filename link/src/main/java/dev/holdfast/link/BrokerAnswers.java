package dev.holdfast.link;

import dev.holdfast.wire.Code;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the broker of one connection said: its terms, which subscriptions it grants, which messages it refuses. It hears each packet
 * before the client library does, and ends the connection where the packet has no place. One thread tells it, any may ask.
 */
final class BrokerAnswers {
    private static final int REFUSED = 0x80;
    /** RabbitMQ says this of a wrong password. */
    private static final int BAD_LOGIN = 0x86;
    /** And mosquitto this. */
    private static final int NOT_AUTHORIZED = 0x87;

    private final boolean login;
    private volatile Packet.@Nullable ConnAck terms;
    private volatile List<Integer> granted = List.of();
    /** Reasons by packet identifier, until the publisher of that message takes them. */
    private final Map<Integer, Integer> refusals = new LinkedHashMap<>();

    /** @param login whether the client shows a user name: a refusal is then one of that */
    BrokerAnswers(boolean login) {
        this.login = login;
    }

    /** What the broker takes; null before it accepted the connection. */
    Packet.@Nullable ConnAck terms() {
        return terms;
    }

    /** The keep-alive in force: the broker's where it is shorter. */
    int keepAliveSeconds(LinkConfig.Pace own) {
        Packet.ConnAck broker = terms;
        int asked = broker == null ? -1 : broker.within(own.keepAliveSeconds()).keepAliveSeconds();
        return asked > 0 ? asked : own.keepAliveSeconds();
    }

    void came(Packet packet) throws LinkException {
        if (terms == null && !(packet instanceof Packet.ConnAck || packet instanceof Packet.Disconnect)) {
            throw new LinkException(Code.LNK_PROTOCOL, "something else comes before CONNACK");
        }
        switch (packet) {
            case Packet.ConnAck ack -> accept(ack);
            case Packet.PubAck(int id, int reason) -> {
                if (reason >= REFUSED) {
                    refused(id, reason);
                }
            }
            case Packet.SubAck(int id, List<Integer> reasons) -> granted = reasons;
            case Packet.Disconnect(int reason, String said) ->
                throw LinkException.refused("the broker ends the connection", reason, said);
            case Packet.Publish message -> {}
            case Packet.PingResponse response -> {}
        }
    }

    private void accept(Packet.ConnAck ack) throws LinkException {
        if (terms != null) {
            throw new LinkException(Code.LNK_PROTOCOL, "a second CONNACK");
        }
        if (ack.reason() != 0) {
            throw ack.reason() == BAD_LOGIN || login && ack.reason() == NOT_AUTHORIZED
                    ? LinkException.login(ack.reason(), ack.said())
                    : LinkException.refusedConnect(ack.reason(), ack.said());
        }
        terms = ack;
    }

    private void refused(int id, int reason) {
        synchronized (refusals) {
            refusals.put(id, reason);
            if (refusals.size() > Connection.MAX_IN_FLIGHT) {
                refusals.remove(refusals.keySet().iterator().next());
            }
        }
    }

    /** Before SUBSCRIBE: a broker may grant what it then does not deliver, so that its word in CONNACK counts. */
    void requireSubscribable(List<String> filters) throws LinkException {
        Packet.ConnAck broker = terms;
        for (String filter : filters) {
            if (broker != null && !broker.shared() && filter.startsWith("$share/")) {
                throw new LinkException(
                        Code.LNK_LIMIT, "Shared Subscription Available: the broker has none, needed for " + filter);
            }
            if (broker != null && !broker.wildcards() && (filter.contains("+") || filter.contains("#"))) {
                throw new LinkException(
                        Code.LNK_LIMIT, "Wildcard Subscription Available: the broker takes none, needed for " + filter);
            }
        }
    }

    /** After SUBACK: that all filters are granted. */
    void requireGranted(List<String> filters) throws LinkException {
        List<Integer> reasons = granted;
        for (int i = 0; i < filters.size(); i++) {
            int reason = i < reasons.size() ? reasons.get(i) : REFUSED;
            if (reason >= REFUSED) {
                throw LinkException.refused("the broker refuses the subscription to " + filters.get(i), reason, "");
            }
        }
    }

    /** After PUBACK: that the message of this packet identifier was taken. */
    void requireTaken(int id, String topic) throws LinkException {
        Integer reason;
        synchronized (refusals) {
            reason = refusals.remove(id);
        }
        if (reason != null) {
            throw LinkException.refused("the broker refuses a message on " + topic, reason, "");
        }
    }
}
