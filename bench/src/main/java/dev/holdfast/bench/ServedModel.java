package dev.holdfast.bench;

import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** The inference process with one model, as the package starts it, and its two sockets. Not thread-safe. */
final class ServedModel implements AutoCloseable {
    private static final long START_SECONDS = 60;
    private static final String TEMPLATE = """
            {"bos":["<s>"],"roles":{"user":{"before":[],"after":[]}},"generation":[],"stop":["</s>"]}""";

    private final Path folder;
    private final Path store;
    private final Process process;

    private ServedModel(Path folder, Process process) {
        this.folder = folder;
        this.store = folder.resolve("device/store");
        this.process = process;
    }

    /** Starts it in a folder of its own, which is emptied. */
    static ServedModel start(Path model, int sequences, int threads) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("holdfast-serve-");
        Path store = folder.resolve("device/store");
        Files.createDirectories(store.resolve("blobs"));
        Slot slot = slot(store, model, "1.0.0", 1);
        Files.write(
                store.resolve(Pointer.FILE_NAME),
                Json.write(Pointer.NOTHING
                        .with(new Pointer.Entry(slot, Optional.empty()))
                        .withDefault(slot.model())
                        .toJson()));
        Path config = Files.writeString(folder.resolve("holdfast.toml"), """
                fleet = "bench"
                device = "device-1"
                broker = "tcp://127.0.0.1:1"
                state = "%1$s/device"
                tee = "software"
                factory-root = "%1$s/none"
                control-socket = "%1$s/agent.sock"
                inference-socket = "%1$s/api.sock"
                inference-control-socket = "%1$s/control.sock"
                max-sequences = %2$d
                threads = %3$d
                context-tokens = 2048
                """.formatted(folder, sequences, threads));
        ProcessBuilder builder = new ProcessBuilder("./dev", "holdfast", "inference", "--config", config.toString())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("log").toFile());
        builder.environment().put("HOLDFAST_BUILT", "1");
        ServedModel served = new ServedModel(folder, builder.start());
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (!served.serves()) {
            if (System.nanoTime() > end || !served.process.isAlive()) {
                served.close();
                throw new IOException("the inference process serves nothing; see " + folder.resolve("log"));
            }
            TimeUnit.MILLISECONDS.sleep(50);
        }
        return served;
    }

    private boolean serves() {
        try {
            return Files.exists(folder.resolve("control.sock"))
                    && !control().status().serving().isEmpty();
        } catch (IOException notYet) {
            return false;
        }
    }

    /** A release of the model {@code served} with this file, in the store. */
    Slot slot(Path model, String version, long release) throws IOException {
        return slot(store, model, version, release);
    }

    private static Slot slot(Path store, Path model, String version, long release) throws IOException {
        Sha256 digest = Sha256.ofFile(model);
        Path blob = store.resolve("blobs").resolve(digest.hex());
        if (Files.notExists(blob)) {
            Files.createLink(blob, model.toRealPath());
        }
        try {
            return new Slot(
                    "models/served/" + version + "/model.gguf",
                    "served",
                    version,
                    release,
                    1,
                    digest,
                    Files.size(blob),
                    0,
                    Json.readObject(TEMPLATE.getBytes(StandardCharsets.UTF_8), TEMPLATE.length())
                            .orThrow(),
                    Json.object().put("minPassRatio", 1.0));
        } catch (RejectedException e) {
            throw new IOException(e);
        }
    }

    Path api() {
        return folder.resolve("api.sock");
    }

    InferenceClient control() {
        return new InferenceClient(folder.resolve("control.sock"));
    }

    /** Memory that belongs to the process alone, in KiB. */
    long anonymousKib() throws IOException {
        long pid = process.descendants()
                .filter(each -> each.info().command().orElse("").endsWith("java"))
                .map(ProcessHandle::pid)
                .findFirst()
                .orElse(process.pid());
        return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
                .filter(line -> line.startsWith("RssAnon:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElse(0);
    }

    @Override
    public void close() throws IOException {
        List<ProcessHandle> all = process.descendants().toList();
        all.forEach(ProcessHandle::destroy);
        process.destroy();
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        process.destroyForcibly();
    }
}
