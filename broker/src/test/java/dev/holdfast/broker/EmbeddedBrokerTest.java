package dev.holdfast.broker;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedBrokerTest {
    /** CONNECT of MQTT 5, clean start, keep alive 60 s, no properties, client id "a". */
    private static final byte[] CONNECT = {0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 0, 0, 1, 'a'};

    @Test
    void acceptsAClientOfMqtt5(@TempDir Path folder) throws IOException {
        try (EmbeddedBroker broker = EmbeddedBroker.start(folder, 0);
                Socket client = new Socket(
                        InetAddress.getLoopbackAddress(),
                        URI.create(broker.uri()).getPort())) {
            client.setSoTimeout(10_000);
            client.getOutputStream().write(CONNECT);
            byte[] head = client.getInputStream().readNBytes(4);
            assertThat(head[0]).as("CONNACK").isEqualTo((byte) 0x20);
            assertThat(head[3]).as("reason code").isZero();
        }
    }
}
