package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a device that has nothing to do sends and is sent: an hour at a keep-alive of 300 s, in a minute at one of 5 s. */
@Tag("full")
class IdleLinkTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Duration MINUTE = Duration.ofSeconds(60);
    private static final long MOST = 1024;

    @TempDir
    Path dir;

    @Test
    void costsAKibibyteAnHour() throws Exception {
        try (Stack stack = Stack.provisioned(dir)) {
            stack.startBroker();
            stack.startFleet();
            stack.startInference();
            try (Cable cable = new Cable(stack.port)) {
                stack.devicePort = cable.port();
                stack.configure();
                Files.createDirectories(dir.resolve("conf.d"));
                Files.writeString(
                        dir.resolve("conf.d/idle.toml"), "refresh-seconds = 3600\nbroker-keep-alive-seconds = 5\n");
                stack.startAgent();
                Tools.until(
                        LIMIT,
                        "connected",
                        () -> stack.status().path("connected").asBoolean());
                long look = settled(cable);
                long before = carried(cable);
                Thread.sleep(MINUTE);
                long pings = carried(cable) - before;
                System.out.printf("idle: %d bytes in the time of 12 pings; until then %d%n", pings, look);
                assertThat(pings).as("bytes of MQTT").isBetween(1L, MOST);
            }
        }
    }

    private static long carried(Cable cable) {
        return cable.carriedUp() + cable.carriedDown();
    }

    /** Nothing but pings goes over the line for so long that what a start brings is over. */
    private static long settled(Cable cable) throws InterruptedException {
        long last = -1;
        for (int same = 0; same < 4; Thread.sleep(4_000)) {
            long now = carried(cable);
            same = last >= 0 && now - last <= 8 ? same + 1 : 0;
            last = now;
        }
        return last;
    }
}
