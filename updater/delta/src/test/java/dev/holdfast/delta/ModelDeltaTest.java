package dev.holdfast.delta;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Progress;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The demo's pair of models: a real fine-tune, Q8_0 with F32 norms. */
class ModelDeltaTest {
    private static final Path BASE = Path.of("../../demo/intent-1.0.0.gguf");
    private static final Path NEXT = Path.of("../../demo/intent-2.0.0.gguf");

    @TempDir
    Path dir;

    /** The 22 tensors in which the two versions differ; demo/README.md names them. */
    private static final long CHANGED_TENSOR_BYTES = 713_728;

    @Test
    void aFineTuneCostsLessThanTheTensorsThatItChanged() throws Exception {
        Assumptions.assumeTrue(Files.exists(BASE) && Files.exists(NEXT));
        Path patch = dir.resolve("patch");
        DeltaSummary summary = DeltaProducer.create(BASE, NEXT, patch);
        assertThat(DeltaFiles.apply(BASE, patch, dir.resolve("made"), 1, Progress.SILENT))
                .isEqualTo(Verdict.accepted(Sha256.ofFile(NEXT)));
        assertThat(summary.blocks()).as(summary.toString()).containsKey(DeltaOp.QDIFF);
        assertThat(Files.size(patch)).as(summary.toString()).isLessThan(CHANGED_TENSOR_BYTES * 9 / 10);
    }
}
