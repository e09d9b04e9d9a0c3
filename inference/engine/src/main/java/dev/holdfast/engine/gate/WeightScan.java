package dev.holdfast.engine.gate;

import dev.holdfast.engine.kernels.ScalarKernels;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Looks through every weight for what no sound model has: NaN, infinity, and matrices that are all zero. */
final class WeightScan {
    private static final int HALF_EXPONENT = 0x7c00;
    private static final int BRAIN_EXPONENT = 0x7f80;

    private WeightScan() {}

    /** The number of tensors, when all are sound. */
    static Verdict<Integer> scan(GgufFile file, MemorySegment bytes) {
        for (GgufTensor tensor : file.tensors()) {
            MemorySegment data = bytes.asSlice(tensor.offset(), tensor.byteLength());
            if (!finite(tensor, data)) {
                return Verdict.rejected(Code.GATE_WEIGHTS, tensor.name() + " holds NaN or infinity");
            }
            if (tensor.dims().size() > 1 && allZero(data)) {
                return Verdict.rejected(Code.GATE_WEIGHTS, tensor.name() + " is all zero");
            }
        }
        return Verdict.accepted(file.tensors().size());
    }

    private static boolean finite(GgufTensor tensor, MemorySegment data) {
        int step = tensor.type().blockBytes();
        return switch (tensor.type()) {
            case F32 -> floats(data);
            case BF16 -> halves(data, 0, 2, BRAIN_EXPONENT);
            case F16, Q8_0, Q4_0, Q5_0, IQ4_NL -> halves(data, 0, step, HALF_EXPONENT);
            case Q4_1, Q5_1, Q4_K, Q5_K -> halves(data, 0, step, HALF_EXPONENT) && halves(data, 2, step, HALF_EXPONENT);
            case Q6_K -> halves(data, step - 2, step, HALF_EXPONENT);
            default -> true;
        };
    }

    private static boolean floats(MemorySegment data) {
        boolean sound = true;
        for (long at = 0; at < data.byteSize(); at += 4) {
            sound &= Float.isFinite(data.get(ScalarKernels.FLOAT, at));
        }
        return sound;
    }

    /** The half-precision numbers, one in each block; an exponent of all ones means NaN or infinity. */
    private static boolean halves(MemorySegment data, int first, int step, int exponent) {
        boolean sound = true;
        for (long at = first; at < data.byteSize(); at += step) {
            sound &= (data.get(ScalarKernels.SHORT, at) & exponent) != exponent;
        }
        return sound;
    }

    private static boolean allZero(MemorySegment data) {
        for (long at = 0; at < data.byteSize(); at++) {
            // Minus zero is zero too.
            if ((data.get(ValueLayout.JAVA_BYTE, at) & 0x7f) != 0) {
                return false;
            }
        }
        return true;
    }
}
