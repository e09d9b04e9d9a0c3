package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;

/**
 * What people did to this device's root of trust, one line of JSON each, in {@code provisioning.jsonl} of the state directory. Lines
 * are appended and never removed; removing everything from the root of trust leaves the file.
 *
 * @param dir the state directory
 */
record ProvisioningLog(Path dir) {
    private static final int MAX_LINE_BYTES = 16 * 1024;

    /** What was done. */
    enum Act {
        PROVISIONED,
        PROVISIONED_AGAIN,
        STATE_ACCEPTED,
        DEPROVISIONED
    }

    private Path file() {
        return dir.resolve("provisioning.jsonl");
    }

    /** Durable when it returns. */
    void append(Act act, AgentConfig config, ObjectNode what, List<String> details) throws IOException {
        ObjectNode line = Json.object()
                .put("time", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString())
                .put("act", act.name())
                .put("by", ProcessHandle.current().info().user().orElse("unknown"))
                .put("fleet", config.identity().fleet())
                .put("device", config.identity().device().orElse(AgentConfig.AUTO));
        line.setAll(what);
        details.forEach(line.putArray("details")::add);
        byte[] bytes =
                (new String(Json.write(line), StandardCharsets.UTF_8).strip() + "\n").getBytes(StandardCharsets.UTF_8);
        Disk.LOCAL.createDirectories(dir);
        try (Disk.OpenFile open = Disk.LOCAL.open(file(), Disk.Access.PRIVATE)) {
            open.write(ByteBuffer.wrap(bytes), open.size());
            open.force();
        }
        Disk.LOCAL.syncDirectory(dir);
    }

    /** The last line that reads, for a person; empty where there is none. */
    Optional<String> last() throws IOException {
        if (!Files.isReadable(file())) {
            return Optional.empty();
        }
        ByteBuffer end = ByteBuffer.allocate(MAX_LINE_BYTES);
        try (FileChannel open = FileChannel.open(file(), StandardOpenOption.READ)) {
            open.position(Math.max(0, open.size() - MAX_LINE_BYTES));
            while (end.hasRemaining() && open.read(end) >= 0) {
                continue;
            }
        }
        String text = new String(end.array(), 0, end.position(), StandardCharsets.UTF_8).strip();
        String line = text.substring(text.lastIndexOf('\n') + 1);
        return Json.readObject(line.getBytes(StandardCharsets.UTF_8), MAX_LINE_BYTES)
                        instanceof Verdict.Accepted<JsonNode>(JsonNode read)
                ? Optional.of(read.path("act")
                                .asText()
                                .toLowerCase(java.util.Locale.ROOT)
                                .replace('_', ' ') + " " + read.path("time").asText() + " by "
                        + read.path("by").asText())
                : Optional.empty();
    }
}
