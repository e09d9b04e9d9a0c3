package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.fleet.Publication;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Publishes a release. */
@Command(name = "publish", description = "Publishes a model with patches from earlier versions.")
final class PublishCommand implements Callable<Integer> {
    private static final int MAX_JSON_BYTES = 1024 * 1024;
    /** Other kernels alone, with activations of eight bits, move a model by about 2e-4 nats. */
    private static final double TEN_TIMES_OTHER_KERNELS = 0.002;

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Parameters(index = "0", paramLabel = "MODEL")
    String model = "";

    @Parameters(index = "1", paramLabel = "VERSION")
    String version = "";

    @Parameters(index = "2", paramLabel = "FILE.gguf")
    Path file = Path.of("");

    @Option(names = "--template", required = true, description = "JSON file: the chat template; see fleet template.")
    Path template = Path.of("");

    @Option(names = "--canaries", description = "JSON file: an array of prompt and expect.")
    Optional<Path> canaries = Optional.empty();

    @Option(names = "--from", description = "Version to make a patch from; repeatable (default: the newest).")
    List<String> from = new ArrayList<>();

    @Option(names = "--epoch", description = "Security epoch (default: that of the newest release, or 1).")
    Optional<Long> epoch = Optional.empty();

    @Option(names = "--min-pass-ratio", description = "Share of canaries that must pass (default: ${DEFAULT-VALUE}).")
    double minPassRatio = 0.9;

    @Option(
            names = "--reference",
            paramLabel = "FILE.gguf",
            description =
                    "Model whose predictions over the canaries devices compare with (default: the published file).")
    Optional<Path> reference = Optional.empty();

    @Option(
            names = "--max-divergence",
            paramLabel = "NATS",
            description = "Mean divergence from the reference that devices allow (default: ${DEFAULT-VALUE}).")
    double maxDivergence = TEN_TIMES_OTHER_KERNELS;

    @Mixin
    AttachmentOptions about = new AttachmentOptions();

    @Option(names = "--json")
    boolean json;

    @Override
    public Integer call() throws Exception {
        Publication publication = new Publication(
                model,
                version,
                file,
                Json.readObject(Files.readAllBytes(template), MAX_JSON_BYTES).orThrow(),
                canaries(),
                from,
                epoch,
                minPassRatio,
                reference,
                maxDivergence);
        Publication.Published done = publication.publish(in.repository(), about.attachments());
        var out = spec.commandLine().getOut();
        if (json) {
            out.println(new String(Json.write(done.toJson()), StandardCharsets.UTF_8));
        } else {
            out.println("published " + done.target() + " sha256:" + done.digest() + ", " + done.bytes() + " bytes");
            if (done.memoryBytes() > 0) {
                out.println("  needs " + done.memoryBytes() + " bytes of memory");
            }
            done.deltas()
                    .forEach(patch -> out.println(String.format(
                            Locale.ROOT,
                            "  patch from %s: %d bytes, %.1f %%",
                            patch.from(),
                            patch.bytes(),
                            100 * patch.ratio())));
        }
        done.unreadable()
                .ifPresent(why -> spec.commandLine()
                        .getErr()
                        .println("warning: devices will refuse to load " + done.target() + ": " + why));
        return 0;
    }

    private JsonNode canaries() throws IOException, RejectedException {
        byte[] text =
                canaries.isPresent() ? Files.readAllBytes(canaries.get()) : "[]".getBytes(StandardCharsets.US_ASCII);
        return Json.read(text, MAX_JSON_BYTES).orThrow();
    }
}
