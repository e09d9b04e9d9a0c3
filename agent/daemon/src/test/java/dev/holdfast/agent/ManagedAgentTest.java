package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.sockets.ServiceManager;
import dev.holdfast.testkit.NotifyReceiver;
import java.nio.file.Path;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a service manager hears of an agent. */
@Timeout(60)
class ManagedAgentTest {
    @TempDir
    Path dir;

    @Test
    void tellsItsStartWhatItDoesAndItsEnd() throws Exception {
        assumeTrue(NotifyReceiver.available(), "python3 is not installed");
        String notify = dir.resolve("notify").toString();
        try (ProvisionedDevice device = ProvisionedDevice.withFiles(dir);
                NotifyReceiver heard = new NotifyReceiver(notify)) {
            device.configure("broker = \"tcp://127.0.0.1:1\"");
            AgentConfig config = device.parsed();
            ServiceManager manager = ServiceManager.of(Map.of("NOTIFY_SOCKET", notify, "WATCHDOG_USEC", "300000"));
            AutoCloseable daemon = manager.ending(AgentDaemon.start(config, manager));
            Awaitility.await().until(() -> heard.messages().contains("WATCHDOG=1"));
            Awaitility.await()
                    .until(() -> heard.messages().contains("STATUS=offline; no model yet; the broker is not reached"));
            daemon.close();
            Awaitility.await().until(() -> heard.messages().contains("STOPPING=1|STATUS=Stopping"));
            assertThat(heard.messages().getFirst())
                    .isEqualTo("EXTEND_TIMEOUT_USEC=300000000|STATUS=Starting: opening the root of trust");
            assertThat(heard.messages()).containsOnlyOnce("READY=1");
        }
    }
}
