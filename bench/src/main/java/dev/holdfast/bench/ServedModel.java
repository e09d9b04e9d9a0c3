package dev.holdfast.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.testkit.HostileProgram;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The inference process with one model, as the package starts it, and its two sockets. Not thread-safe. */
final class ServedModel implements AutoCloseable {
    private static final long START_SECONDS = 60;
    private static final long END_SECONDS = 10;
    /** The tree, from itself or from one of its modules. */
    private static final Path ROOT =
            Path.of(Files.exists(Path.of("dev")) ? "" : "..").toAbsolutePath().normalize();

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

    /** Starts it in a folder of its own, which is gone when it is closed. */
    static ServedModel start(Path model, int sequences, int threads) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("holdfast-serve-");
        Path store = folder.resolve("device/store");
        Files.createDirectories(store.resolve("blobs"));
        Slot slot = slot(store, model, "1.0.0", 1);
        Files.write(
                store.resolve(Pointer.FILE_NAME),
                Json.write(Pointer.NOTHING
                        .with(new PointerEntry(slot, Optional.empty()))
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
                .directory(ROOT.toFile())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("log").toFile());
        builder.environment().put("HOLDFAST_BUILT", "1");
        ServedModel served = new ServedModel(folder, builder.start());
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (!served.serves()) {
            if (System.nanoTime() > end || !served.process.isAlive()) {
                served.end();
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
            try {
                Files.createLink(blob, model.toRealPath());
            } catch (IOException otherDisk) {
                Files.copy(model, blob);
            }
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
                    gate());
        } catch (RejectedException e) {
            throw new IOException(e);
        }
    }

    /** Nothing to answer first, and time to load beside whatever else the machine does. */
    private static ObjectNode gate() {
        ObjectNode gate = Json.object().put("maxLoadMillis", TimeUnit.SECONDS.toMillis(START_SECONDS));
        gate.putArray("canaries");
        return gate;
    }

    /** A model of the demo. */
    static Path demo(String version) {
        return ROOT.resolve("demo").resolve("intent-" + version + ".gguf");
    }

    UnixDomainSocketAddress api() {
        return UnixDomainSocketAddress.of(folder.resolve("api.sock"));
    }

    /** Lets every user of the machine connect. */
    UnixDomainSocketAddress openToAll() throws IOException {
        HostileProgram.letIn(folder);
        Files.setPosixFilePermissions(api().getPath(), PosixFilePermissions.fromString("rw-rw-rw-"));
        return api();
    }

    InferenceClient control() {
        return new InferenceClient(folder.resolve("control.sock"));
    }

    /**
     * What the process holds.
     *
     * @param anonymousKib memory that belongs to it alone, in KiB; garbage of its heap is part of it
     * @param mappings ranges of its address space
     * @param descriptors open files and sockets
     */
    record Held(long anonymousKib, long mappings, long descriptors) {}

    Held held() throws IOException {
        Path proc = Path.of("/proc", String.valueOf(java()));
        long anonymous = Files.readAllLines(proc.resolve("status")).stream()
                .filter(line -> line.startsWith("RssAnon:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElse(0);
        try (Stream<String> maps = Files.lines(proc.resolve("maps"));
                Stream<Path> descriptors = Files.list(proc.resolve("fd"))) {
            return new Held(anonymous, maps.count(), descriptors.count());
        }
    }

    /** The launcher becomes the JVM, or starts it. */
    private long java() {
        return Stream.concat(Stream.of(process.toHandle()), process.descendants())
                .filter(each -> each.info().command().orElse("").endsWith("java"))
                .map(ProcessHandle::pid)
                .findFirst()
                .orElse(process.pid());
    }

    private void end() {
        List<ProcessHandle> all = process.descendants().toList();
        all.forEach(ProcessHandle::destroy);
        process.destroy();
        try {
            process.waitFor(END_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        all.forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    @Override
    public void close() throws IOException {
        end();
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path each : all.toList().reversed()) {
                Files.deleteIfExists(each);
            }
        }
    }
}
