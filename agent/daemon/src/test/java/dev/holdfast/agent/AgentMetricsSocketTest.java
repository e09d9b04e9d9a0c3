package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.log.Logs;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The numbers of an agent that runs, on its control socket. */
@Timeout(60)
class AgentMetricsSocketTest {
    @TempDir
    Path dir;

    private static String metrics(Path socket) throws IOException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            channel.write(ByteBuffer.wrap("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                    .getBytes(StandardCharsets.US_ASCII)));
            return new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void anAgentWithoutABrokerSaysThatItIsCutOffAndWhy() throws Exception {
        // A command would not tell of the link's attempts.
        Logs.ofDaemon("holdfast");
        try (ProvisionedDevice device = ProvisionedDevice.withFiles(dir)) {
            device.configure("broker = \"tcp://127.0.0.1:1\"");
            AgentConfig config = device.parsed();
            try (AgentDaemon _ = AgentDaemon.start(config)) {
                Path socket = config.sockets().agent();
                Awaitility.await()
                        .untilAsserted(() -> assertThat(metrics(socket).lines())
                                .contains(
                                        "HTTP/1.1 200 OK",
                                        "holdfast_agent_connected 0",
                                        "holdfast_agent_connections_total 0",
                                        "holdfast_agent_link_lost{code=\"LNK-DOWN\"} 1",
                                        "holdfast_agent_state{state=\"offline\"} 1",
                                        "holdfast_agent_event_log_broken 0")
                                .anyMatch(
                                        line -> line.matches("holdfast_agent_log_lines_total\\{code=\"LNK-DOWN\"} .*"))
                                .anyMatch(line -> line.matches("holdfast_agent_event_log_entries [1-9].*")));
            }
        }
    }
}
