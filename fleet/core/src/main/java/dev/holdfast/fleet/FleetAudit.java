package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.util.Objects;

/**
 * {@code audit.jsonl}: one line for each act that takes something from a device or gives its name to other keys. A line is appended
 * and forced before the act, so that none is missing; an act that was cut off after its line is done again. Nothing removes lines.
 */
public record FleetAudit(FleetDirectory directory, Clock clock) {
    /** @param details what the act is about; its fields come after time, user and act */
    public void append(String act, String device, ObjectNode details) throws IOException, RejectedException {
        ObjectNode line = Json.object()
                .put("at", clock.instant().toString())
                .put("by", Objects.requireNonNullElse(System.getProperty("user.name"), "?"))
                .put("act", act);
        if (!device.isEmpty()) {
            line.put("device", device);
        }
        line.setAll(details);
        byte[] json = Json.write(line);
        ByteBuffer bytes =
                ByteBuffer.allocate(json.length + 1).put(json).put((byte) '\n').flip();
        directory.exclusively(() -> {
            try (FileChannel file = FileChannel.open(
                    directory.audit(), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                endLine(file);
                while (bytes.hasRemaining()) {
                    file.write(bytes, file.size());
                }
                file.force(true);
            }
            return line;
        });
    }

    /** A line that the power cut off stays, and the next one does not go on in it. */
    private static void endLine(FileChannel file) throws IOException {
        ByteBuffer last = ByteBuffer.allocate(1);
        if (file.size() > 0 && file.read(last, file.size() - 1) == 1 && last.get(0) != '\n') {
            file.write(ByteBuffer.wrap(new byte[] {'\n'}), file.size());
        }
    }
}
