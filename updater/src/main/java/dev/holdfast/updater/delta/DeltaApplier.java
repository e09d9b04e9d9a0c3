package dev.holdfast.updater.delta;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;

/** Skeleton. */
public final class DeltaApplier {
    private DeltaApplier() {}

    /** Makes {@code result} from {@code base} and {@code patch}; an existing file is replaced only when all is well. */
    public static Verdict<Sha256> apply(Path base, Path patch, Path result) throws IOException {
        return Verdict.rejected(Code.DLT_FORMAT, "skeleton");
    }
}
