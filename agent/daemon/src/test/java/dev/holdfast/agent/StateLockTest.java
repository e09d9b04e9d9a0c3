package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.agent.state.StateLock;
import dev.holdfast.tee.TeeException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The agent and the commands that change what it holds are never at work at once. */
class StateLockTest {
    @TempDir
    Path dir;

    @Test
    void nothingIsMadeOrRemovedWhileTheAgentRunsThoughItDoesNotAnswer() throws Exception {
        try (ProvisionedDevice device = ProvisionedDevice.withFiles(dir)) {
            device.ok("provision");
            try (AgentDaemon _ = AgentDaemon.start(device.parsed())) {
                Files.delete(dir.resolve("c"));
                assertThat(device.refused("provision", "--again", "--yes")).contains("TEE-REFUSED", "the agent runs");
                assertThat(device.refused("provision", "--accept-state")).contains("the agent runs");
                assertThat(device.refused("deprovision", "--yes")).contains("the agent runs");
                assertThatThrownBy(() -> AgentDaemon.start(device.parsed())).isInstanceOf(TeeException.class);
            }
            device.ok("provision", "--again", "--yes");
            device.ok("deprovision", "--yes");
        }
    }

    @Test
    void anAgentDoesNotStartWhileACommandIsAtWork() throws Exception {
        try (ProvisionedDevice device = ProvisionedDevice.withFiles(dir)) {
            try (StateLock _ = StateLock.take(dir.resolve("s"))) {
                assertThatThrownBy(() -> AgentDaemon.start(device.parsed()))
                        .isInstanceOf(TeeException.class)
                        .hasMessageContaining("another command");
                assertThat(device.refused("provision")).contains("another command is at work");
            }
            device.ok("provision");
            try (AgentDaemon _ = AgentDaemon.start(device.parsed())) {
                assertThat(device.doctor()).contains("agent");
            }
        }
    }
}
