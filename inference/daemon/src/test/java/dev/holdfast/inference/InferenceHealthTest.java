package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.sockets.ServiceManager;
import dev.holdfast.testkit.NotifyReceiver;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** When the inference process says that it is ready and well, and when it does not. */
@Timeout(60)
class InferenceHealthTest {
    private static final InferenceConfig.Limits LIMITS = new InferenceConfig.Limits(2, 2, 256, 1, CacheType.DEFAULT, 0);

    @TempDir
    Path folder;

    private SocketPaths sockets() {
        return new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
    }

    @Test
    void isReadyWithoutAModelAndSaysWhatServes() throws Exception {
        assumeTrue(NotifyReceiver.available(), "python3 is not installed");
        TinyStore store = new TinyStore(folder.resolve("store"));
        InferenceConfig config = InferenceConfig.of(store.folder(), sockets(), LIMITS);
        String notify = folder.resolve("notify").toString();
        try (NotifyReceiver heard = new NotifyReceiver(notify);
                ServiceManager manager =
                        ServiceManager.of(Map.of("NOTIFY_SOCKET", notify, "WATCHDOG_USEC", "300000"))) {
            try (InferenceDaemon _ = InferenceDaemon.start(config, List::of, manager)) {
                Awaitility.await().until(() -> heard.messages().contains("WATCHDOG=1"));
                assertThat(heard.messages()).contains("STATUS=no model is in service", "READY=1");
            }
            store.serving(store.add("1.0.0", 1, TinyModel.Flaw.NONE), null);
            try (InferenceDaemon _ = InferenceDaemon.start(config, List::of, manager)) {
                Awaitility.await()
                        .until(() -> heard.messages().containsAll(List.of("STATUS=loading models", "READY=1")));
                Awaitility.await().until(() -> heard.messages().contains("STATUS=serves intent@1.0.0"));
            }
        }
    }

    @Test
    void isNotWellWithoutItsSockets() throws Exception {
        TinyStore store = new TinyStore(folder.resolve("store"));
        InferenceConfig config = InferenceConfig.of(store.folder(), sockets(), LIMITS);
        try (ModelHost models = host(store)) {
            InferenceHealth health =
                    new InferenceHealth(models, sockets(), config.limits().request()::whole);
            try (InferenceDaemon _ = InferenceDaemon.start(config)) {
                assertThat(health.fault()).isEmpty();
            }
            assertThatThrownBy(health::fault).isInstanceOf(IOException.class);
        }
    }

    @Test
    void isNotWellWhereARequestOutlivesItsTime() throws Exception {
        TinyStore store = new TinyStore(folder.resolve("store"));
        InferenceConfig config = InferenceConfig.of(store.folder(), sockets(), LIMITS);
        ObjectNode model = store.add("1.0.0", 1, TinyModel.Flaw.NONE);
        store.serving(model, null);
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        try (ModelHost models = host(store);
                InferenceDaemon _ = InferenceDaemon.start(config)) {
            assertThat(models.longestRequest()).isZero();
            assertThat(models.serve(Slot.read(model).orThrow()).passed()).isTrue();
            models.chat(null, ChatRequest.greedy("hi", 1), new Collected() {
                @Override
                public boolean begin() {
                    begun.countDown();
                    try {
                        end.await();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                    return false;
                }
            });
            begun.await();
            Awaitility.await().until(() -> models.longestRequest().compareTo(Duration.ofMillis(50)) > 0);
            // Less than no time for the whole, so that what is given to the last step is over, too.
            RequestClock.Limits none = RequestClock.Limits.of(Duration.ofMinutes(-5));
            assertThat(new InferenceHealth(models, sockets(), none::whole)
                            .fault()
                            .orElseThrow())
                    .startsWith("a request has not ended after");
            end.countDown();
            Awaitility.await().until(() -> models.longestRequest().isZero());
            assertThat(new InferenceHealth(models, sockets(), none::whole).fault())
                    .isEqualTo(Optional.empty());
        }
    }

    private static ModelHost host(TinyStore store) {
        return new ModelHost(new HostSettings(
                store.folder().resolve("blobs"),
                new HealthGate.Settings(256, 2, CacheType.DEFAULT),
                2,
                LIMITS.share(),
                1,
                LIMITS.memoryBudget()));
    }
}
