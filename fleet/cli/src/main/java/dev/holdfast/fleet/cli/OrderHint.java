package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.DesiredModels;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.settings.BrokerLink;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.Topics;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** The retained hints that new orders wait. */
final class OrderHint {
    private static final Duration DEADLINE = Duration.ofSeconds(5);

    private OrderHint() {}

    /** Sends one to each device; where that fails, says so and goes on, since devices also ask by themselves. */
    static void send(FleetDirectory.Config config, Map<String, DesiredModels> wishes, PrintWriter err) {
        if (wishes.isEmpty()) {
            return;
        }
        try (MqttLink link = BrokerLink.connect(config.broker(), List.of(), DEADLINE, message -> {})) {
            for (Map.Entry<String, DesiredModels> wish : wishes.entrySet()) {
                byte[] hint = Long.toString(wish.getValue().counter()).getBytes(StandardCharsets.US_ASCII);
                link.publish(new Topics(config.name(), wish.getKey()).desired(), hint, true);
            }
        } catch (IOException | RejectedException e) {
            err.println("warning: no hint was sent: " + e.getMessage());
        }
    }

    /** Has devices ask now that wait to be let in; nothing is retained, since a hint is of no use later. */
    static void wake(FleetDirectory.Config config, List<String> devices, PrintWriter err) {
        if (devices.isEmpty()) {
            return;
        }
        try (MqttLink link = BrokerLink.connect(config.broker(), List.of(), DEADLINE, message -> {})) {
            for (String device : devices) {
                link.publish(
                        new Topics(config.name(), device).desired(), "0".getBytes(StandardCharsets.US_ASCII), false);
            }
        } catch (IOException | RejectedException e) {
            err.println("warning: no hint was sent, so it takes some minutes: " + e.getMessage());
        }
    }
}
