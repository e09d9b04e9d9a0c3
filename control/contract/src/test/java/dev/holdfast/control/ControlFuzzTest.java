package dev.holdfast.control;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.control.config.ConfigReader;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.JsonChanges;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Messages, replies and configuration files of any content are read or refused with a code; nothing else is thrown. */
class ControlFuzzTest {
    private static final int MAX_BYTES = 4 << 20;
    private static final int SOME = 2_000;
    private static final int MANY = 300_000;

    private static final List<Function<JsonNode, Verdict<?>>> READERS = List.of(
            Slot::read,
            InferenceStatus::read,
            GateReport::read,
            Flip::read,
            LogLines::read,
            Challenges::read,
            ChallengeReply::read,
            SlotRequest::read,
            ServingSet::read);

    @TempDir
    Path folder;

    @FuzzTest(maxDuration = "1m")
    void message(byte[] bytes) {
        accepted(bytes);
    }

    @FuzzTest(maxDuration = "1m")
    void reply(byte[] bytes) {
        complete(bytes, 7);
    }

    @FuzzTest(maxDuration = "1m")
    void configuration(byte[] bytes) throws Exception {
        Path file = Files.write(folder.resolve("holdfast.toml"), bytes);
        if (ConfigFile.read(file, ConfigReader.COMMAND) instanceof Verdict.Accepted<ConfigFile>(ConfigFile config)) {
            assertThat(config.sockets()).isNotNull();
        }
        assertThat(ConfigFile.of(file).problems()).doesNotContainNull();
    }

    private static boolean accepted(byte[] bytes) {
        boolean any = ReasonRequest.read(bytes).isAccepted()
                | Pointer.read(bytes).isAccepted()
                | Pointer.readable(bytes).isAccepted();
        if (Json.read(bytes, MAX_BYTES) instanceof Verdict.Accepted<JsonNode>(JsonNode node)) {
            for (Function<JsonNode, Verdict<?>> reader : READERS) {
                any |= reader.apply(node).isAccepted();
            }
        }
        return any;
    }

    /** Feeds a reply in pieces; whether it was whole. */
    private static boolean complete(byte[] bytes, int piece) {
        HttpReplyReader reader = new HttpReplyReader(1000);
        try {
            for (int at = 0; at < bytes.length && !reader.isComplete(); at += piece) {
                reader.read(ByteBuffer.wrap(bytes, at, Math.min(piece, bytes.length - at)));
            }
            if (!reader.isComplete()) {
                reader.end();
            }
        } catch (RejectedException e) {
            return false;
        } finally {
            assertThat(reader.body().length).isLessThanOrEqualTo(1000);
        }
        return true;
    }

    @Test
    void someChangedMessagesAreReadOrRefused() {
        change(SOME, 1);
    }

    @Tag("soak")
    @Test
    void manyChangedMessagesAreReadOrRefused() {
        change(MANY, 2);
    }

    private static void change(int count, long seed) {
        Map<String, byte[]> good = new LinkedHashMap<>();
        good.put("slot", Json.write(MessagesTest.slot("1.0.0").toJson()));
        good.put("status", Json.write(MessagesTest.STATUS.toJson()));
        good.put("report", Json.write(MessagesTest.REPORT.toJson()));
        good.put("serving set", Json.write(MessagesTest.SERVING.toJson()));
        good.put("pointer", Json.write(MessagesTest.POINTER.toJson()));
        good.put("pointer of one model", Json.write(MessagesTest.pointerOfOneModel()));
        Random random = new Random(seed);
        good.forEach((name, bytes) -> {
            int read = 0;
            for (int i = 0; i < count; i++) {
                read += accepted(JsonChanges.changed(bytes, random)) ? 1 : 0;
            }
            System.out.printf("%d changed messages of kind %s: read %d, the others refused%n", count, name, read);
            // Neither all nor none: else the changes would be too small or too large to test anything.
            assertThat(read).as(name).isBetween(1, count - 1);
        });
    }

    @Test
    void changedRepliesAreReadOrRefused() {
        byte[] good = ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx: y\r\n\r\n4\r\n{\"a\"\r\n3;x=y\r\n:1}\r\n"
                        + "0\r\nt: u\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII);
        Random random = new Random(3);
        int whole = 0;
        for (int i = 0; i < 20_000; i++) {
            byte[] bad = good.clone();
            for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt(128);
            }
            whole += complete(bad, 1 + random.nextInt(20)) ? 1 : 0;
        }
        assertThat(whole).isBetween(1, 19_999);
    }
}
