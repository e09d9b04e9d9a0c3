package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.HeapWatch;
import dev.holdfast.control.Slot;
import dev.holdfast.control.UncaughtExceptions;
import dev.holdfast.engine.MappedModel;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.log.Logs;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * {@code holdfast standalone --model FILE}: one file on a laptop, served by the same code and by the same rules as on a device. Nobody
 * signed the file and nothing attests it, which the start, {@code /healthz}, {@code /v1/models} and {@code /v1/attestation} say.
 */
public final class StandaloneMain {
    private static final int EX_USAGE = 2;
    private static final int QUEUED = 16;
    private static final String VERSION = "local";

    private StandaloneMain() {}

    public static void main(String[] args) {
        if (args.length == 1 && List.of("--help", "-h").contains(args[0])) {
            System.out.println(StandaloneOptions.USAGE);
            return;
        }
        StandaloneOptions options;
        try {
            options = StandaloneOptions.read(args);
        } catch (RejectedException e) {
            System.err.println(e.rejection().detail() + "\n" + StandaloneOptions.USAGE);
            System.exit(EX_USAGE);
            return;
        }
        try {
            Logs.ofDaemon("holdfast");
            UncaughtExceptions.endTheProcessFor(List.of("holdfast-kernel-"));
            HeapWatch.start(InferenceDaemon.GARBAGE_MIB);
            serve(options);
        } catch (Exception e) {
            System.err.println(CommandFailure.message(e));
            System.exit(CommandFailure.exitCode(e));
        }
    }

    private static void serve(StandaloneOptions options) throws IOException, RejectedException, InterruptedException {
        if (!Files.isRegularFile(options.model())) {
            throw new RejectedException(Code.API_NOT_FOUND, "there is no file " + options.model());
        }
        Sha256 digest;
        StandaloneTemplate template;
        try (MappedModel mapped = MappedModel.map(options.model()).orThrow()) {
            template = StandaloneTemplate.of(mapped.head().orThrow(), options.template());
            digest = mapped.digest();
        }
        Slot slot = slot(options, digest, template.json());
        StandaloneFolder folder = StandaloneFolder.make(options.socket());
        AtomicReference<InferenceDaemon> daemon = new AtomicReference<>();
        // Before anything is there to remove: the end may come while the model loads, and a refusal is an end too.
        Runtime.getRuntime()
                .addShutdownHook(Thread.ofPlatform().name("shutdown").unstarted(() -> close(daemon.get(), folder)));
        folder.link(options.model(), slot.digest());
        InferenceConfig.Limits limits = new InferenceConfig.Limits(
                MemoryNeeds.DEFAULT_SEQUENCES,
                QUEUED,
                options.contextTokens(),
                options.threads(),
                CacheType.DEFAULT,
                0);
        InferenceDaemon.unattested(
                InferenceConfig.of(folder.store(), folder.sockets(), limits).withApi(InferenceConfig.Access.OWNER_ONLY),
                slot,
                daemon::set);
        System.err.println(greeting(slot, template, folder.sockets().inference()));
        new CountDownLatch(1).await();
    }

    private static void close(@Nullable InferenceDaemon daemon, StandaloneFolder folder) {
        try (folder) {
            if (daemon != null) {
                daemon.close();
            }
        } catch (IOException e) {
            System.err.println("shutdown: " + FailureText.of(e));
        }
    }

    private static Slot slot(StandaloneOptions options, Sha256 digest, JsonNode template) throws IOException {
        // However long it takes to load: a person waits for it, and sees it.
        JsonNode gate = Json.object()
                .put("maxLoadMillis", 3_600_000)
                .set("canaries", Json.object().putArray("canaries"));
        return new Slot(
                "local/" + options.name(),
                options.name(),
                VERSION,
                0,
                0,
                digest,
                Files.size(options.model()),
                0,
                template,
                gate);
    }

    private static String greeting(Slot slot, StandaloneTemplate template, Path socket) {
        return """
                UNATTESTED: %s (%s) was signed by nobody, and there is no evidence of it.
                %s
                Listening on %s

                  holdfast run --socket %s "Hello"
                  curl --unix-socket %s http://localhost/v1/chat/completions -H 'Content-Type: application/json' \\
                       -d '{"messages":[{"role":"user","content":"Hello"}]}'

                Ctrl-C ends it.""".formatted(slot.id(), slot.fingerprint(), template.told(), socket, quoted(socket), quoted(socket));
    }

    /** As a shell reads it. */
    private static String quoted(Path path) {
        String text = path.toString();
        return text.matches("[A-Za-z0-9/._+-]+") ? text : "'" + text.replace("'", "'\\''") + "'";
    }
}
