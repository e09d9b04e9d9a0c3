package dev.holdfast.link;

import java.nio.charset.StandardCharsets;
import javax.net.SocketFactory;
import org.eclipse.paho.mqttv5.client.MqttConnectionOptions;
import org.eclipse.paho.mqttv5.common.MqttMessage;

/** What the client library is told to put into CONNECT: MQTT 5.0 section 3.1. Files of the login are read here, at each connect. */
final class LibraryOptions {
    /** What the broker may have in flight towards us. */
    private static final int RECEIVE_MAXIMUM = 32;

    private LibraryOptions() {}

    /** @param plainWill whether the broker takes no retained will, or none of QoS 1 */
    static MqttConnectionOptions of(LinkConfig config, SocketFactory sockets, boolean plainWill) throws LinkException {
        MqttConnectionOptions options = new MqttConnectionOptions();
        options.setAutomaticReconnect(false);
        // Nothing waits for us at the broker, so that no session's expiry counts: what matters is asked for again.
        options.setCleanStart(true);
        options.setKeepAliveInterval(config.pace().keepAliveSeconds());
        options.setReceiveMaximum(RECEIVE_MAXIMUM);
        options.setMaximumPacketSize((long) PacketReader.MAX_PACKET_BYTES);
        options.setSocketFactory(sockets);
        if (config.access().login().isPresent()) {
            BrokerAccess.Login login = config.access().login().get();
            options.setUserName(login.user());
            if (login.password().isPresent()) {
                options.setPassword(AccessFiles.password(login.password().get()));
            }
        }
        config.presence()
                .ifPresent(topic ->
                        options.setWill(topic, new MqttMessage(presence("0"), plainWill ? 0 : 1, !plainWill, null)));
        return options;
    }

    static byte[] presence(String state) {
        return state.getBytes(StandardCharsets.US_ASCII);
    }
}
