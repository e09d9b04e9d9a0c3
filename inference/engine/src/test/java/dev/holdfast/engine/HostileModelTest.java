package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Verdict;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever stands in a model file, loading and running it gives an answer or a rejection, never an exception. */
class HostileModelTest {
    @TempDir
    Path folder;

    @Test
    void mutatedModelsAreRefusedOrRun() throws Exception {
        Path path = folder.resolve("m.gguf");
        TinyModel.write(path, 1, TinyModel.Flaw.NONE);
        byte[] whole = Files.readAllBytes(path);
        Random random = new Random(99);
        int run = 0;
        for (int round = 0; round < 500; round++) {
            byte[] mutated = whole.clone();
            // The metadata before the vocabulary, or the tensor table and weights behind it.
            int from = round % 2 == 0 ? 0 : 9000;
            int span = round % 2 == 0 ? 700 : 12_000;
            for (int flips = random.nextInt(1, 4); flips > 0; flips--) {
                mutated[from + random.nextInt(span)] = (byte) random.nextInt();
            }
            Files.write(path, mutated);
            if (ModelRunner.open(path, 64, 1) instanceof Verdict.Accepted<ModelRunner>(ModelRunner runner)) {
                try (runner) {
                    run++;
                    runner.generate(new int[] {1, 3, 300, 4}, 3, Sampling.GREEDY);
                    runner.tokenize("the light </s>");
                }
            }
        }
        assertThat(run).isBetween(20, 480);
    }
}
