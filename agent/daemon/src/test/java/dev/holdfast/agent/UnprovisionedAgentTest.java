package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.AgentClient;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An agent whose root of trust holds nothing, and that reaches no broker. */
class UnprovisionedAgentTest {
    @TempDir
    Path dir;

    @Test
    void asksTheTeeLessAndLessOftenWhileItIsOffline() throws Exception {
        try (ProvisionedDevice device = ProvisionedDevice.withFiles(dir)) {
            device.configure("broker = \"tcp://127.0.0.1:1\"");
            AgentConfig config = device.parsed();
            try (AgentDaemon agent = AgentDaemon.start(config)) {
                AgentClient client = new AgentClient(config.sockets().agent());
                await().atMost(Duration.ofSeconds(20))
                        .until(() -> client.status().path("waiting").has("for"));
                JsonNode status = client.status();
                assertThat(status.path("connected").asBoolean()).isFalse();
                assertThat(status.path("waiting").path("for").asText()).isEqualTo("the next attempt");

                // An agent that goes on without one of its threads looks well and does nothing.
                List<String> own = Thread.getAllStackTraces().keySet().stream()
                        .map(Thread::getName)
                        .filter(name -> name.matches("(agent|attest|link).*") && !name.startsWith("link-library-"))
                        .toList();
                assertThat(own)
                        .as("%s", agent)
                        .contains("agent-work", "attest")
                        .allMatch(name -> AgentMain.VITAL_THREADS.stream().anyMatch(name::startsWith));
            }
        }
    }
}
