package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that answers "no model yet" answers. */
class DoctorInferenceTest {
    @TempDir
    Path dir;

    private String doctor() throws Exception {
        Path file = Files.writeString(dir.resolve("holdfast.toml"), """
            fleet = "f"
            device = "d"
            broker = "mqtt://127.0.0.1:1"
            state = "%1$s/state"
            tee = "software"
            factory-root = "%1$s/root.json"
            control-socket = "%1$s/c.sock"
            inference-socket = "%1$s/i.sock"
            inference-control-socket = "%1$s/ic.sock"
            """.formatted(dir));
        return Doctor.of(AgentConfig.read(file).orThrow()).text();
    }

    private static void answer(ServerSocketChannel server, String status, String body) {
        try (SocketChannel one = server.accept()) {
            one.read(ByteBuffer.allocate(4096));
            one.write(
                    ByteBuffer.wrap(("HTTP/1.1 " + status + "\r\nContent-Length: " + body.length() + "\r\n\r\n" + body)
                            .getBytes(StandardCharsets.US_ASCII)));
        } catch (ClosedChannelException e) {
            // The test is over.
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aProcessWithoutAModelRuns() throws Exception {
        assertThat(doctor()).containsPattern("FAIL {2}inference +no answer on " + dir.resolve("i.sock"));
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(dir.resolve("i.sock")));
            Thread.ofPlatform()
                    .daemon()
                    .start(() -> answer(server, "503 Service Unavailable", "{\"status\":\"no-model\",\"models\":[]}"));
            assertThat(doctor())
                    .containsPattern("warn {2}inference +runs, but has no model")
                    .doesNotContain("no answer on " + dir.resolve("i.sock"));
        }
    }
}
