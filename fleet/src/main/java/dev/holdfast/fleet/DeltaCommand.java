package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.updater.delta.BlockOutput;
import dev.holdfast.updater.delta.DeltaApplier;
import dev.holdfast.updater.delta.DeltaInspection;
import dev.holdfast.updater.delta.DeltaProducer;
import dev.holdfast.updater.delta.DeltaSummary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The delta codec by hand. */
@Command(name = "delta", description = "Makes, applies and inspects patches.", mixinStandardHelpOptions = true)
final class DeltaCommand {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Command(name = "create", description = "Makes a patch.")
    int create(
            @Option(names = "--base", required = true) Path base,
            @Option(names = "--new", required = true) Path next,
            @Option(names = "--out", required = true) Path out,
            @Option(names = "--json") boolean json)
            throws IOException {
        long start = System.nanoTime();
        DeltaSummary summary = DeltaProducer.create(base, next, out);
        return print(
                json,
                Json.object()
                        .put("bytes", summary.patchBytes())
                        .put("ratio", summary.ratio())
                        .put("seconds", secondsSince(start)));
    }

    @Command(name = "apply", description = "Makes the new file from its base and a patch.")
    int apply(
            @Option(names = "--base", required = true) Path base,
            @Option(names = "--patch", required = true) Path patch,
            @Option(names = "--out", required = true) Path out,
            @Option(names = "--json") boolean json)
            throws IOException, RejectedException {
        long start = System.nanoTime();
        Path temporary = out.resolveSibling(out.getFileName() + ".tmp");
        try (DeltaApplier applier = DeltaApplier.open(base, patch).orThrow()) {
            try (FileChannel channel = FileChannel.open(
                    temporary,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE)) {
                BlockOutput output = new FileOutput(channel);
                for (int block = 0; block < applier.blockCount(); block++) {
                    applier.make(block, output).orThrow();
                }
            }
            if (!Sha256.ofFile(temporary).equals(applier.result())) {
                throw new RejectedException(Code.INS_DIGEST, "the file is not the one that the patch names");
            }
            FleetDirectory.move(temporary, out);
        } finally {
            Files.deleteIfExists(temporary);
        }
        return print(json, Json.object().put("seconds", secondsSince(start)).put("peak_rss_kib", peakRssKib()));
    }

    @Command(name = "inspect", description = "Says what a patch says of itself.")
    int inspect(@Parameters(paramLabel = "PATCH") Path patch, @Option(names = "--json") boolean json)
            throws IOException, RejectedException {
        DeltaInspection found = DeltaInspection.of(patch).orThrow();
        ObjectNode node = Json.object()
                .put("codec", found.codec())
                .put("bytes", found.patchBytes())
                .put("base", found.base().hex())
                .put("base_bytes", found.baseBytes())
                .put("result", found.result().hex())
                .put("result_bytes", found.resultBytes());
        ObjectNode blocks = node.putObject("blocks");
        found.blocks().forEach((op, count) -> blocks.put(op.name(), count));
        ObjectNode payload = node.putObject("payload_bytes");
        found.payloadBytes().forEach((op, bytes) -> payload.put(op.name(), bytes));
        return print(json, node);
    }

    private record FileOutput(FileChannel channel) implements BlockOutput {
        @Override
        public boolean has(int block) {
            return false;
        }

        @Override
        public void write(int block, long offset, ByteBuffer bytes) throws IOException {
            for (long at = offset; bytes.hasRemaining(); ) {
                at += channel.write(bytes, at);
            }
        }
    }

    private int print(boolean json, ObjectNode node) {
        if (json) {
            spec.commandLine().getOut().println(new String(Json.write(node), StandardCharsets.UTF_8));
        } else {
            for (Map.Entry<String, ?> field : node.properties()) {
                spec.commandLine().getOut().println(field.getKey() + " " + field.getValue());
            }
        }
        return 0;
    }

    private static double secondsSince(long start) {
        return (System.nanoTime() - start) / 1e9;
    }

    /** The process's high-water mark, as Linux counts it; -1 elsewhere. */
    private static long peakRssKib() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.isReadable(status)) {
            return -1;
        }
        return Files.readAllLines(status).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .map(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElse(-1L);
    }
}
