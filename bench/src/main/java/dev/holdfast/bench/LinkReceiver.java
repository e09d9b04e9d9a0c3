package dev.holdfast.bench;

import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.IntConsumer;
import org.eclipse.paho.mqttv5.client.IMqttToken;
import org.eclipse.paho.mqttv5.client.MqttAsyncClient;
import org.eclipse.paho.mqttv5.client.MqttCallback;
import org.eclipse.paho.mqttv5.client.MqttConnectionOptions;
import org.eclipse.paho.mqttv5.client.MqttDisconnectResponse;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.eclipse.paho.mqttv5.common.MqttException;
import org.eclipse.paho.mqttv5.common.MqttMessage;
import org.eclipse.paho.mqttv5.common.packet.MqttProperties;

/**
 * Receives messages by one client and says what that cost: {@code LinkReceiver link|paho URI TOPIC MESSAGES WINDOW}. It prints a line when
 * it listens, one for each window that came, and at last the CPU seconds of the process since it listened.
 */
public final class LinkReceiver {
    private LinkReceiver() {}

    public static void main(String[] arguments) throws Exception {
        String uri = arguments[1];
        String topic = arguments[2];
        int messages = Integer.parseInt(arguments[3]);
        int window = Integer.parseInt(arguments[4]);
        BlockingQueue<Integer> lengths = new LinkedBlockingQueue<>();
        if (arguments[0].equals("link")) {
            link(uri, topic, lengths::add);
        } else {
            paho(uri, topic, lengths::add);
        }
        System.out.println("listening");
        Duration before = cpu();
        for (int i = 1; i <= messages; i++) {
            lengths.take();
            if (i % window == 0) {
                System.out.println(i);
            }
        }
        System.out.printf(Locale.ROOT, "cpu %.3f%n", cpu().minus(before).toNanos() / 1e9);
        System.exit(0);
    }

    /** Of all threads of this process, its compilers and its collector. */
    private static Duration cpu() {
        return ProcessHandle.current().info().totalCpuDuration().orElseThrow();
    }

    private static void link(String uri, String topic, IntConsumer took) throws InterruptedException {
        MqttLink link = ReconnectingLink.open(
                LinkConfig.of(uri, "bench-link", List.of(topic)), message -> took.accept(message.payload().length));
        while (!link.connected()) {
            Thread.sleep(10);
        }
    }

    private static void paho(String uri, String topic, IntConsumer took) throws MqttException {
        MqttAsyncClient client = new MqttAsyncClient(uri, "bench-paho", new MemoryPersistence());
        client.setCallback(new Took(took));
        MqttConnectionOptions options = new MqttConnectionOptions();
        options.setCleanStart(true);
        client.connect(options).waitForCompletion();
        client.subscribe(topic, 1).waitForCompletion();
    }

    private record Took(IntConsumer took) implements MqttCallback {
        @Override
        public void messageArrived(String topic, MqttMessage message) {
            took.accept(message.getPayload().length);
        }

        @Override
        public void disconnected(MqttDisconnectResponse response) {}

        @Override
        public void mqttErrorOccurred(MqttException exception) {}

        @Override
        public void deliveryComplete(IMqttToken token) {}

        @Override
        public void connectComplete(boolean reconnect, String serverUri) {}

        @Override
        public void authPacketArrived(int reasonCode, MqttProperties properties) {}
    }
}
