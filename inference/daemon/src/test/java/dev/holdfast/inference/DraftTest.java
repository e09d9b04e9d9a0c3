package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.Sampling;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.text.Prompt;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** One model of a device guesses what another will say; whoever asks sees nothing of it. */
@Timeout(60)
class DraftTest {
    @TempDir
    Path folder;

    private static Collected ask(ModelHost host, String model, Sampling sampling) {
        Collected answer = new Collected();
        host.chat(
                model,
                List.of(new ChatRequest(new Prompt.Text("turn the light on"), 60, sampling, List.of(), true, 0)),
                new Caller(Optional.of(1000L), true),
                answer);
        return answer;
    }

    private static void keep(ModelHost host, Map<String, String> drafts, String... models) {
        host.keep(new ServingSet(Optional.of("chat"), new TreeSet<>(List.of(models)), Map.of(), drafts));
    }

    private static Slot slot(ObjectNode node, String name) throws Exception {
        return Slot.read(node.put("model", name)).orThrow();
    }

    @Test
    void answersAreTheSameWhoeverGuesses() throws Exception {
        TinyStore store = new TinyStore(folder);
        Slot chat = slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE), "chat");
        Slot twin = slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE), "twin");
        Slot stranger = slot(store.add("2.0.0", 2, TinyModel.Flaw.NONE), "stranger");
        Slot encoder = Slot.read(store.addEncoder("embed", "1.0.0", 8)).orThrow();
        try (ModelHost host = new ModelHost(
                new HostSettings(store.blobs(), new HealthGate.Settings(256, 3, CacheType.F16), 1, 1, 1L << 28))) {
            for (Slot each : List.of(chat, twin, stranger, encoder)) {
                assertThat(host.serve(each).failure()).isEmpty();
            }
            String[] all = {"chat", "twin", "stranger", "embed"};
            for (Sampling sampling : List.of(Sampling.GREEDY, new Sampling(0.9, 0.95, 11))) {
                keep(host, Map.of(), all);
                String plain = ask(host, "chat", sampling).await();
                assertThat(plain).isNotEmpty();
                for (String draft : List.of("twin", "stranger", "embed", "chat", "nobody")) {
                    keep(host, Map.of("chat", draft), all);
                    assertThat(ask(host, "chat", sampling).await()).as(draft).isEqualTo(plain);
                }
            }
        }
    }

    @Test
    void aDraftThatIsRetiredIsUnloadedAndAskedNoMore() throws Exception {
        TinyStore store = new TinyStore(folder);
        Slot chat = slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE), "chat");
        Slot twin = slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE), "twin");
        try (ModelHost host = new ModelHost(
                new HostSettings(store.blobs(), new HealthGate.Settings(256, 3, CacheType.F16), 1, 1, 1L << 28))) {
            assertThat(host.serve(chat).failure()).isEmpty();
            assertThat(host.serve(twin).failure()).isEmpty();
            keep(host, Map.of("chat", "twin"), "chat", "twin");
            String plain = ask(host, "chat", Sampling.GREEDY).await();
            keep(host, Map.of("chat", "twin"), "chat");
            assertThat(host.status().draining()).as("no request holds it").isZero();
            assertThat(host.pinDraft("chat")).isEmpty();
            assertThat(ask(host, "chat", Sampling.GREEDY).await()).isEqualTo(plain);
        }
    }
}
