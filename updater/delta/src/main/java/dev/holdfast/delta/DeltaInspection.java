package dev.holdfast.delta;

import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a patch says of itself.
 *
 * @param codec {@code hfd2}
 * @param patchBytes length of the patch
 * @param headBytes how much of it is head, block table and plan
 * @param base hash of the base file
 * @param baseBytes length of the base file
 * @param result hash of the result
 * @param resultBytes length of the result
 * @param blocks number of blocks
 * @param parts what each tensor and each stretch between tensors cost, in the order of the result
 */
public record DeltaInspection(
        String codec,
        long patchBytes,
        long headBytes,
        Sha256 base,
        long baseBytes,
        Sha256 result,
        long resultBytes,
        int blocks,
        List<Part> parts) {
    public DeltaInspection {
        parts = List.copyOf(parts);
    }

    /**
     * One tensor, or one stretch between tensors.
     *
     * @param name the tensor's name, or {@code head}, {@code padding}, {@code bytes}
     * @param outputBytes bytes of the result
     * @param payloadBytes bytes of the patch
     * @param operations payload bytes by operation
     * @param why types and kind of context where the weights were predicted, else empty
     */
    public record Part(String name, long outputBytes, long payloadBytes, Map<DeltaOp, Long> operations, String why) {
        public Part {
            operations = Map.copyOf(operations);
        }
    }

    /** Reads head, block table and plan; payloads are not touched. */
    public static Verdict<DeltaInspection> of(Path patch) throws IOException {
        long patchBytes = Files.size(patch);
        return PatchHeader.read(patch).then(header -> Verdict.of(() -> of(header, patchBytes)));
    }

    private static DeltaInspection of(PatchHeader header, long patchBytes) throws RejectedException {
        Map<Integer, List<Segment>> byLabel = new LinkedHashMap<>();
        long payloads = 0;
        for (Segment segment : header.plan().segments()) {
            byLabel.computeIfAbsent(segment.label(), label -> new ArrayList<>()).add(segment);
            payloads += segment.payloadBytes();
        }
        List<Part> parts = new ArrayList<>();
        for (Map.Entry<Integer, List<Segment>> entry : byLabel.entrySet()) {
            parts.add(part(header, header.plan().label(entry.getKey()), entry.getValue()));
        }
        return new DeltaInspection(
                "hfd2",
                patchBytes,
                patchBytes - payloads,
                header.base(),
                header.baseBytes(),
                header.result(),
                header.resultBytes(),
                header.blockCount(),
                parts);
    }

    private static Part part(PatchHeader header, String name, List<Segment> segments) throws RejectedException {
        Map<DeltaOp, Long> operations = new EnumMap<>(DeltaOp.class);
        long output = 0;
        long payload = 0;
        String why = "";
        for (Segment segment : segments) {
            operations.merge(segment.op(), (long) segment.payloadBytes(), Long::sum);
            output += segment.outputBytes();
            payload += segment.payloadBytes();
            if (segment.op().isTensor() && why.isEmpty()) {
                Prediction prediction = header.plan().model(segment.model()).prediction();
                why = (prediction.from() == prediction.to() ? "" : prediction.from() + " -> ")
                        + prediction.to()
                        + switch (prediction.activity()) {
                            case NONE -> ", place on the grid";
                            case STEP -> ", place and step";
                            case FULL -> ", place, step, row and column";
                        };
            }
        }
        return new Part(name, output, payload, operations, why);
    }
}
