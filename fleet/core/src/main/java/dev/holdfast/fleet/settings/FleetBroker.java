package dev.holdfast.fleet.settings;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.link.BrokerAccess;
import dev.holdfast.link.BrokerAddress;
import dev.holdfast.link.LinkConfig;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The broker of a fleet as {@code fleet.json} has it: its address, and which files to show it. A password or a key is never in it.
 *
 * @param address such as {@code mqtts://broker.example}
 */
public record FleetBroker(String address, BrokerAccess.Settings settings) {
    /** How the command's options begin. */
    private static final String PREFIX = "--broker-";

    private static final int MAX_AUTHORITIES = 64;

    /** {@code CFG-INVALID} where address or settings do not hold, or do not go together. */
    public void require() throws RejectedException {
        access(BrokerAddress.parse(address).orThrow());
    }

    /** How a program of the fleet reaches it. */
    public LinkConfig link(String clientId, List<String> filters) throws RejectedException {
        BrokerAddress broker = BrokerAddress.parse(address).orThrow();
        return LinkConfig.of(broker, clientId, filters).with(access(broker));
    }

    private BrokerAccess access(BrokerAddress broker) throws RejectedException {
        return BrokerAccess.configured(broker, PREFIX, settings).orThrow();
    }

    public void writeTo(ObjectNode fleet) {
        fleet.put("broker", address);
        ObjectNode access = Json.object();
        if (!settings.user().isEmpty()) {
            access.put("user", settings.user());
        }
        settings.password().ifPresent(file -> access.put("passwordFile", file.toString()));
        settings.certificate().ifPresent(file -> access.put("certificate", file.toString()));
        settings.key().ifPresent(file -> access.put("key", file.toString()));
        if (!settings.authorities().isEmpty()) {
            ArrayNode files = access.putArray("authorities");
            settings.authorities().forEach(file -> files.add(file.toString()));
        }
        if (!access.isEmpty()) {
            fleet.set("access", access);
        }
    }

    /** @param home relative paths count from there */
    public static FleetBroker read(JsonNode fleet, Path home) throws RejectedException {
        JsonNode access = fleet.path("access");
        List<Path> authorities = new ArrayList<>();
        for (JsonNode each : access.path("authorities")) {
            authorities.add(home.resolve(each.asText()));
        }
        if (authorities.size() > MAX_AUTHORITIES) {
            throw new RejectedException(
                    Code.CFG_INVALID, "fleet.json names more than " + MAX_AUTHORITIES + " authorities");
        }
        FleetBroker broker = new FleetBroker(
                fleet.path("broker").asText(),
                new BrokerAccess.Settings(
                        access.path("user").asText(),
                        file(access, "passwordFile", home),
                        file(access, "certificate", home),
                        file(access, "key", home),
                        authorities));
        broker.require();
        return broker;
    }

    private static Optional<Path> file(JsonNode access, String name, Path home) {
        String text = access.path(name).asText();
        return text.isEmpty() ? Optional.empty() : Optional.of(home.resolve(text));
    }
}
