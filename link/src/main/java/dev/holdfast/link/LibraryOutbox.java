package dev.holdfast.link;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.eclipse.paho.mqttv5.client.IMqttToken;
import org.eclipse.paho.mqttv5.client.MqttAsyncClient;
import org.eclipse.paho.mqttv5.client.MqttClientException;
import org.eclipse.paho.mqttv5.common.MqttException;

/** Where the client library takes messages. Thread-safe. */
final class LibraryOutbox {
    private static final long PAUSE_MILLIS = 2;
    private static final int FULL = MqttClientException.REASON_CODE_MAX_INFLIGHT;

    private LibraryOutbox() {}

    /**
     * Gives the library a message. It counts one as under way until its callback thread had its turn, which may be a while after the
     * broker's acknowledgement, and refuses more than the broker takes instead of waiting.
     */
    static IMqttToken publish(
            Duration patience, MqttAsyncClient library, String topic, byte[] payload, int qos, boolean retained)
            throws MqttException, LinkException {
        long end = System.nanoTime() + patience.toNanos();
        while (true) {
            try {
                return library.publish(topic, payload, qos, retained);
            } catch (MqttException e) {
                if (e.getReasonCode() != FULL || System.nanoTime() - end > 0) {
                    throw e;
                }
            }
            try {
                TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
            } catch (InterruptedException e) {
                throw LinkException.interrupted();
            }
        }
    }
}
