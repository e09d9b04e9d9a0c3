package dev.holdfast.fleet.rollout;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Whatever a plan or a device's report holds, reading it ends: in a plan that reads as it is written, a word within its bounds, or a code. */
class RolloutFuzzTest {
    private static final int SOME = 5_000;
    private static final int MANY = 500_000;
    private static final int MAX_REPORT_BYTES = 64 * 1024;
    private static final byte[] PLAN = """
            {"format":1,"model":"chat","version":"2.0.0","rings":[{"name":"lab","labels":{"site":"x"}},{"name":"all","percent":100}],
            "gate":{"failedPercent":2,"soakSeconds":60},"pace":{"factor":2},"retry":{"times":2,"codes":["INS-DISK"]},"startSeconds":5}""".getBytes(StandardCharsets.UTF_8);
    private static final byte[] REPORT = """
            {"models":[{"model":"chat","version":"2.0.0","state":"installing","install":{"version":"2.0.0","state":"PLANNED"},
            "lastFailure":{"at":"x","version":"2.0.0","state":"FAILED","code":"INS-DISK"},"lastRejection":{"code":"UPD-X","detail":"y"}}]}""".getBytes(StandardCharsets.UTF_8);
    private static final String[] WORDS = {
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "null",
        "1e999",
        "-1",
        "0",
        "\\u0000",
        "\"models\"",
        "\"percent\"",
        "\"devices\""
    };

    @FuzzTest(maxDuration = "1m")
    void anyPlanIsReadOrRefused(byte[] bytes) throws Exception {
        plan(bytes);
    }

    @FuzzTest(maxDuration = "1m")
    void anyReportIsAWordWithinItsBounds(byte[] bytes) {
        word(bytes);
    }

    @Test
    void someChangedOnesEnd() throws Exception {
        changed(SOME, 1);
    }

    @Test
    @Tag("soak")
    void manyChangedOnesEnd() throws Exception {
        changed(MANY, 2);
    }

    private static void changed(int count, long seed) throws Exception {
        Random random = new Random(seed);
        int plans = 0;
        int words = 0;
        for (int i = 0; i < count; i++) {
            plans += plan(bent(PLAN, random)) ? 1 : 0;
            words += word(bent(REPORT, random)) ? 1 : 0;
        }
        // Else what is tried is not near what is right, or nothing is looked at.
        assertThat(plans).isBetween(count / 50, count * 9 / 10);
        assertThat(words).isBetween(count / 50, count * 9 / 10);
    }

    private static boolean plan(byte[] bytes) throws Exception {
        RolloutPlan plan;
        try {
            plan = RolloutPlan.read(bytes);
        } catch (RejectedException e) {
            return false;
        }
        assertThat(RolloutPlan.read(Json.write(plan.toJson()))).isEqualTo(plan);
        return true;
    }

    private static boolean word(byte[] bytes) {
        if (!(Json.readObject(bytes, MAX_REPORT_BYTES) instanceof Verdict.Accepted<JsonNode>(JsonNode report))) {
            return false;
        }
        Fleet.Word word = DirectoryFleet.word(Instant.EPOCH, report, "chat");
        Stream.of(
                        word.serving(),
                        word.installing().map(Fleet.Installing::version),
                        word.installing().map(Fleet.Installing::state),
                        word.failure().map(Fleet.Failure::version),
                        word.failure().map(Fleet.Failure::code),
                        word.refused().map(Fleet.Refusal::code),
                        word.refused().map(Fleet.Refusal::detail))
                .flatMap(text -> text.stream())
                .forEach(text -> assertThat(text.length()).isLessThanOrEqualTo(512));
        return true;
    }

    private static byte[] bent(byte[] whole, Random random) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int changes = random.nextInt(3);
        int at = 0;
        for (int change = 0; change < changes; change++) {
            int next = at + random.nextInt(whole.length - at);
            out.write(whole, at, next - at);
            out.writeBytes(
                    random.nextBoolean()
                            ? new byte[] {(byte) random.nextInt(128)}
                            : WORDS[random.nextInt(WORDS.length)].getBytes(StandardCharsets.UTF_8));
            at = Math.min(whole.length - 1, next + random.nextInt(3));
        }
        out.write(whole, at, whole.length - at);
        return out.toByteArray();
    }
}
