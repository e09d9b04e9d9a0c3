package dev.holdfast.testkit;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/** What a hostile inference process says, always something new. Thread-safe. */
final class BadReplies {
    private final Random random = new Random(16);

    String nonces(int count) {
        List<String> quoted = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            quoted.add("\"" + hex(16) + "\"");
        }
        return "{\"nonces\":[" + String.join(",", quoted) + "]}";
    }

    String wrongTypes() {
        ObjectNode all =
                Json.object().put("default", 5).put("serving", "intent").put("candidates", true);
        all.put("draining", "1").put("requestsActive", 0.5).put("memory", -1).put("pid", "x");
        all.put("nonces", 3)
                .put("lines", 7)
                .put("passed", "yes")
                .put("checks", false)
                .put("pauseMicros", "0");
        all.putObject("startedAtMillis").putNull("previous");
        return new String(Json.write(all), StandardCharsets.UTF_8);
    }

    String beyondLimits() {
        String model = "{\"model\":\"" + "m".repeat(65) + "\",\"version\":\"1\",\"slot\":\"" + hex(32)
                + "\",\"digest\":\"" + hex(32) + "\"}";
        String models = String.join(",", Collections.nCopies(17, model));
        return "{\"default\":null,\"serving\":[" + models + "],\"candidates\":[],\"draining\":99999999999,"
                + "\"requestsActive\":-1,\"memory\":{\"usedBytes\":1e300,\"budgetBytes\":1},\"startedAtMillis\":1,\"pid\":1,"
                + nonces(17).substring(1, nonces(17).length() - 1) + ",\"passed\":true,\"loadMillis\":-5,\"checks\":[],"
                + "\"lines\":[\"" + "l".repeat(20_000) + "\"],\"pauseMicros\":-1}";
    }

    String noise() {
        byte[] bytes = new byte[4096];
        synchronized (random) {
            random.nextBytes(bytes);
        }
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    String hex(int bytes) {
        StringBuilder text = new StringBuilder();
        synchronized (random) {
            for (int i = 0; i < bytes; i++) {
                text.append(String.format("%02x", random.nextInt(256)));
            }
        }
        return text.toString();
    }
}
