package dev.holdfast.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.Slot;
import dev.holdfast.testkit.JournalReceiver;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Subject;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/** The lines of a process in each form, through SLF4J as the daemons write them. */
class LogsTest {
    private static final Logger LOG = LoggerFactory.getLogger(LogsTest.class);
    private static final Logger LIBRARY = LoggerFactory.getLogger("io.vertx.Anything");

    @TempDir
    Path folder;

    private final PrintStream before = System.err;
    private final ByteArrayOutputStream written = new ByteArrayOutputStream();

    @BeforeEach
    void listen() {
        System.setErr(new PrintStream(written, true, StandardCharsets.UTF_8));
        Logs.ofDaemon("holdfast");
        Logs.journalAt(folder.resolve("nobody").toString());
    }

    @AfterEach
    void restore() {
        Logs.ofDaemon("holdfast");
        Logs.copyTo(line -> {});
        System.setErr(before);
    }

    private List<String> lines() {
        return written.toString(StandardCharsets.UTF_8).lines().toList();
    }

    private JsonNode only() {
        assertThat(lines()).hasSize(1);
        return read(lines().getFirst());
    }

    private static JsonNode read(String line) {
        try {
            return Json.readObject(line.getBytes(StandardCharsets.UTF_8), 1 << 20)
                    .orThrow();
        } catch (RejectedException e) {
            throw new AssertionError(line, e);
        }
    }

    private static Slot slot(String model) {
        return new Slot(
                "models/" + model + "/1.0.0/model.gguf",
                model,
                "1.0.0",
                3,
                1,
                Sha256.of(new byte[] {1}),
                10,
                4096,
                Json.object(),
                Json.object());
    }

    @Test
    void textIsForPeople() {
        LOG.warn("{}: {}", Subject.model("chat"), new Rejection(Code.UPD_ROLLBACK, "older"));
        assertThat(lines())
                .singleElement()
                .asString()
                .matches("\\S+Z \\[\\S+] WARN LogsTest - chat: UPD-ROLLBACK: older");
    }

    @Test
    void jsonIsOneObjectALineWithStableNames() {
        Logs.configure("json", "info");
        Logs.ofDevice("cam-1");
        LOG.warn(
                "order {}: {} failed: {}",
                Subject.order(7),
                slot("chat"),
                new Rejection(Code.UPD_ROLLBACK, "old"),
                new IOException("two\nlines"));
        JsonNode line = only();
        assertThat(line.fieldNames())
                .toIterable()
                .containsExactlyInAnyOrder(
                        "time", "level", "logger", "thread", "message", "code", "device", "model", "order", "error");
        assertThat(line.get("level").asText()).isEqualTo("warn");
        assertThat(line.get("message").asText()).startsWith("order 7: ").endsWith(" failed: UPD-ROLLBACK: old");
        assertThat(line.get("code").asText()).isEqualTo("UPD-ROLLBACK");
        assertThat(line.get("device").asText()).isEqualTo("cam-1");
        assertThat(line.get("model").asText()).isEqualTo("chat");
        assertThat(line.get("order").asText()).isEqualTo("7");
        assertThat(line.get("error").asText()).startsWith("java.io.IOException: two?lines\n\tat ");
    }

    /** Whoever chooses a topic or a name may write a code into it. */
    @Test
    void aCodeIsWhatWasGivenAsOneAndNotWhatLooksLikeOne() {
        Logs.configure("json", "info");
        LOG.warn("topic {} of {}", "UPD-ROLLBACK", Subject.device("ATT-CLOCK"));
        JsonNode line = only();
        assertThat(line.has("code")).isFalse();
        assertThat(line.get("device").asText()).isEqualTo("ATT-CLOCK");
    }

    @Test
    void theCodeOfACauseCounts() {
        Logs.configure("json", "info");
        LOG.error("it failed", new IOException(new RejectedException(Code.TEE_UNAVAILABLE, "no answer")));
        assertThat(only().get("code").asText()).isEqualTo("TEE-UNAVAILABLE");
    }

    @Test
    void theLevelHoldsForOursAndLibrariesSayOnlyWhatIsWrong() {
        Logs.configure("text", "debug");
        LOG.debug("ours");
        LIBRARY.info("theirs");
        LIBRARY.warn("wrong");
        assertThat(lines()).hasSize(2);
        Logs.configure("text", "error");
        LOG.warn("not that important");
        assertThat(lines()).hasSize(2);
    }

    @Test
    void aDaemonThatCannotGoOnSaysSoWithItsCode() {
        assertThat(Logs.tell(new RejectedException(Code.CFG_INVALID, "x"))).isFalse();
        Logs.configure("json", "error");
        assertThat(Logs.tell(new RejectedException(Code.CFG_INVALID, "a {} in it")))
                .isTrue();
        assertThat(only().get("code").asText()).isEqualTo("CFG-INVALID");
        assertThat(only().get("message").asText()).contains("a {} in it").contains(Code.CFG_INVALID.remedy());
    }

    /** Text of others ends no line, begins none, and is cut, in every form and every place. */
    @Test
    void noTextOfOthersMakesALineOfItsOwn() {
        SplittableRandom random = new SplittableRandom(11);
        String alphabet = "a\n\r\u001b\u2028\u202e\0\ud800\udc00\"\\{}<3>=\u0085\ud83d\ude00";
        for (int round = 0; round < 200; round++) {
            StringBuilder text = new StringBuilder();
            int length = random.nextInt(10) == 0 ? 200_000 : random.nextInt(40);
            while (text.length() < length) {
                text.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            String odd = text.toString();
            LogLine line = LogLine.of(
                    Level.WARN,
                    "LogsTest",
                    random.nextBoolean() ? "of {}: {}" : odd,
                    new Object[] {Subject.model(odd), odd},
                    new IOException(odd, new IllegalStateException(odd)));

            String json = line.json(Optional.of("cam-1"));
            assertThat(json.length()).isLessThan(128 * 1024);
            assertThat(json).doesNotContainPattern("[\\p{Cc}\\p{Zl}\\p{Zp}\\u202e]");
            JsonNode read = read(json);
            assertThat(read.get("message").asText()).hasSizeLessThanOrEqualTo(LogLine.MAX_CHARS + 3);
            assertThat(read.get("model").asText()).hasSizeLessThanOrEqualTo(LogLine.MAX_NAME_CHARS);

            assertThat(line.text().lines().skip(1)).allMatch(each -> each.matches("\tat .*|Caused by: .*|java\\..*"));
            assertThat(line.prefixed().lines()).allMatch(each -> each.startsWith("<4>"));

            Map<String, String> fields = JournalReceiver.fields(JournalEntry.of(
                    line, new Logs.Settings(Logs.Form.JOURNAL, Level.INFO, "holdfast", Optional.empty())));
            assertThat(fields.keySet())
                    .containsExactlyInAnyOrder(
                            "MESSAGE",
                            "PRIORITY",
                            "SYSLOG_IDENTIFIER",
                            "HOLDFAST_LOGGER",
                            "HOLDFAST_THREAD",
                            "HOLDFAST_MODEL",
                            "HOLDFAST_ERROR");
        }
    }

    @Test
    void theJournalGetsFieldsOnARealSocket() throws Exception {
        assumeTrue(JournalReceiver.available(), "python3 is not installed");
        Path socket = folder.resolve("journal");
        List<String> copies = new ArrayList<>();
        Logs.copyTo(copies::add);
        Logs.configure("journal", "info");
        Logs.ofDevice("cam-1");
        try (JournalReceiver journal = new JournalReceiver(socket)) {
            Logs.journalAt(socket.toString());
            LOG.error("{}: {}", slot("chat"), new Rejection(Code.INS_DISK, "full"), new IOException("why"));
            for (int i = 0; i < 300; i++) {
                LOG.info("line {}", i);
            }
            Awaitility.await().until(() -> journal.entries().size() + lines().size() == 301);
            assertThat(journal.entries().getFirst())
                    .containsEntry("MESSAGE", slot("chat") + ": INS-DISK: full")
                    .containsEntry("PRIORITY", "3")
                    .containsEntry("SYSLOG_IDENTIFIER", "holdfast")
                    .containsEntry("HOLDFAST_LOGGER", "LogsTest")
                    .containsEntry("HOLDFAST_CODE", "INS-DISK")
                    .containsEntry("HOLDFAST_DEVICE", "cam-1")
                    .containsEntry("HOLDFAST_MODEL", "chat")
                    .containsEntry("MESSAGE_ID", JournalEntry.messageId(Code.INS_DISK))
                    .hasEntrySatisfying(
                            "HOLDFAST_ERROR", error -> assertThat(error).startsWith("java.io.IOException: why\n\tat "));
            assertThat(copies).hasSizeGreaterThan(250).first().asString().contains("INS-DISK");
        }
    }

    @Test
    void withoutAJournalEachLineHasItsPriority() {
        Logs.configure("journal", "info");
        LOG.error("it broke", new IOException("why"));
        LOG.info("fine");
        assertThat(lines().getFirst()).isEqualTo("<3>LogsTest: it broke");
        assertThat(lines().get(1)).isEqualTo("<3>java.io.IOException: why");
        assertThat(lines()).allMatch(line -> line.startsWith("<3>") || line.equals("<6>LogsTest: fine"));
    }

    @Test
    void aCommandSaysWarningsBriefly() {
        assertThat(new LogLine(Instant.EPOCH, Level.WARN, "Class", "main", "words", Optional.empty(), Map.of(), "")
                        .brief())
                .isEqualTo("WARN words");
    }

    @Test
    void onlyAStreamThatIsTheJournalCounts() throws Exception {
        Path stream = Files.createFile(folder.resolve("stream"));
        String itself = Files.getAttribute(stream, "unix:dev") + ":" + Files.getAttribute(stream, "unix:ino");
        assertThat(Logs.isJournal(Map.of("JOURNAL_STREAM", itself), stream)).isTrue();
        assertThat(Logs.isJournal(Map.of("JOURNAL_STREAM", itself), Path.of("/dev/null")))
                .isFalse();
        assertThat(Logs.isJournal(Map.of(), stream)).isFalse();
        assertThat(List.of("", "x", ":", "9:", itself + "0"))
                .allMatch(value -> !Logs.isJournal(Map.of("JOURNAL_STREAM", value), stream));
    }

    /** Operators' filters and catalogs hold these numbers. */
    @Test
    void theMessageIdOfACodeNeverChanges() {
        assertThat(JournalEntry.messageId(Code.UPD_ROLLBACK)).isEqualTo("b5ac227267979593e1cb9edd1b9d91c3");
        assertThat(JournalEntry.messageId(Code.CFG_INVALID)).isEqualTo("70d12b43494fdf6ebf952eb45939b3a1");
    }
}
