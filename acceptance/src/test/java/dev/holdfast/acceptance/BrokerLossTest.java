package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real broker that is killed in the middle of a download and comes back. */
class BrokerLossTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);
    private static final int SLOW_BYTES_PER_MILLI = 250;

    @TempDir
    Path dir;

    @Test
    void aDownloadGoesOnAfterTheBrokerDiedAndNoVerifiedBlockIsPulledAgain() throws Exception {
        try (Stack stack = Stack.prepare(dir, false)) {
            stack.startBroker();
            stack.startFleet();
            stack.startInference();
            try (Cable cable = new Cable(stack.port);
                    Tap tap = Tap.open(stack.broker())) {
                stack.devicePort = cable.port();
                stack.configure();
                cable.slow(SLOW_BYTES_PER_MILLI);
                stack.desire("1.0.0");
                stack.startAgent();
                Tools.until(LIMIT, "a part of the download", () -> done(stack) >= 16);
                cable.unplug();
                stack.kill("mosquitto");
                Tools.until(
                        LIMIT,
                        "the agent knows",
                        () -> !stack.status().path("connected").asBoolean());
                int total = stack.status().at("/install/blocksTotal").asInt();
                int verified = done(stack);
                assertThat(verified).isBetween(16, total - 1);

                stack.startBroker();
                tap.awaitConnected();
                tap.forget();
                cable.plug();
                stack.awaitServing("1.0.0");
                stack.awaitCommitted("1.0.0");

                List<Tap.Piece> asked = tap.blocksAsked();
                Set<Integer> blocks = asked.stream().map(Tap.Piece::block).collect(Collectors.toSet());
                System.out.printf(
                        "broker killed after %d of %d blocks: %d asked for afterwards, in %d pieces%n",
                        verified, total, blocks.size(), asked.size());
                assertThat(asked).as("each once").doesNotHaveDuplicates();
                assertThat(blocks).as("blocks that were missing").hasSize(total - verified);
                stack.assertNoTraces();
            }
        }
    }

    private static int done(Stack stack) throws Exception {
        JsonNode install = stack.status().path("install");
        return install.path("blocksDone").asInt();
    }
}
