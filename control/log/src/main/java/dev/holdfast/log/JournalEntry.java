package dev.holdfast.log;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Subject;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * A log line in the journal's own protocol:
 *
 * <pre>
 * NAME=value \n                                    where the value is one line
 * NAME \n, 8 bytes little-endian length, value \n  else
 * </pre>
 */
final class JournalEntry {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream(512);

    private JournalEntry() {}

    static byte[] of(LogLine line, Logs.Settings settings) {
        JournalEntry entry = new JournalEntry();
        entry.field("MESSAGE", line.message());
        entry.field("PRIORITY", Integer.toString(line.priority()));
        entry.field("SYSLOG_IDENTIFIER", settings.program());
        entry.field("HOLDFAST_LOGGER", line.logger());
        entry.field("HOLDFAST_THREAD", line.thread());
        line.code().ifPresent(code -> {
            entry.field("MESSAGE_ID", messageId(code));
            entry.field("HOLDFAST_CODE", code.id());
        });
        for (Map.Entry<Subject.Kind, String> subject :
                line.subjects(settings.device()).entrySet()) {
            entry.field("HOLDFAST_" + subject.getKey(), subject.getValue());
        }
        if (!line.error().isEmpty()) {
            entry.field("HOLDFAST_ERROR", line.error());
        }
        return entry.out.toByteArray();
    }

    /** The same 128 bits for the same code, for ever: the first of SHA-256 over a label and the code, in hexadecimal. */
    static String messageId(Code code) {
        return Sha256.of(("holdfast message " + code.id()).getBytes(StandardCharsets.US_ASCII))
                .hex()
                .substring(0, 32);
    }

    private void field(String name, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        out.writeBytes(name.getBytes(StandardCharsets.US_ASCII));
        if (value.indexOf('\n') < 0) {
            out.write('=');
        } else {
            out.write('\n');
            out.writeBytes(ByteBuffer.allocate(Long.BYTES)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(bytes.length)
                    .array());
        }
        out.writeBytes(bytes);
        out.write('\n');
    }
}
