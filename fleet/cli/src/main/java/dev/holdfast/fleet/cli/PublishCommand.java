package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.fleet.Publication;
import dev.holdfast.terminal.Page;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.ProgressLine;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Publishes a release. */
@Command(
        name = "publish",
        description = {
            "Checks a model as devices will, and publishes it with patches from earlier versions. Devices get it by fleet"
                    + " desire.",
            "What a device would refuse is refused here with the device's code, and nothing is signed; see holdfast explain"
                    + " CODE."
        },
        footer = {
            "",
            "Examples:",
            "  fleet template import chat-2.gguf --out chat.json",
            "  fleet publish chat 2.0.0 chat-2.gguf --template chat.json",
            "  fleet publish chat 2.0.0 chat-folder",
            "  fleet publish chat 2.0.1 chat-2.gguf --template chat.json --from 2.0.0 --from 1.0.0 --canaries ask.json"
        })
final class PublishCommand implements Callable<Integer> {
    private static final long MIB = 1024 * 1024;
    private static final int MAX_LOAD_SECONDS = 3600;
    /** Other kernels alone, with activations of eight bits, move a model by about 2e-4 nats. */
    private static final double TEN_TIMES_OTHER_KERNELS = 0.002;

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    OfflineKeys keys = new OfflineKeys();

    @Parameters(index = "0", paramLabel = "MODEL", description = "The model's name, such as chat.")
    String model = "";

    @Parameters(index = "1", paramLabel = "VERSION", description = "Its version, such as 2.0.0; a new one.")
    String version = "";

    @Parameters(
            index = "2",
            paramLabel = "FILE.gguf|DIR",
            description =
                    "The model file; or a folder that holds one, with template.json and canaries.json beside it; or"
                            + " a folder in the OCI image layout whose artifact has these as layers.")
    Path file = Path.of("");

    @Option(
            names = "--template",
            paramLabel = "FILE.json",
            description = "JSON file: the chat template; see fleet template (default: template.json of the folder).")
    Optional<Path> template = Optional.empty();

    @Option(
            names = "--canaries",
            paramLabel = "FILE.json",
            description =
                    "JSON file: an array of prompt and expect, which devices try before they serve (default: canaries.json of"
                            + " the folder, or none).")
    Optional<Path> canaries = Optional.empty();

    @Option(
            names = "--from",
            paramLabel = "VERSION",
            description = "Version to make a patch from; repeatable (default: the newest).")
    List<String> from = new ArrayList<>();

    @Option(
            names = "--epoch",
            paramLabel = "N",
            description = "Security epoch (default: that of the newest release, or 1).")
    Optional<Long> epoch = Optional.empty();

    @Option(
            names = "--min-pass-ratio",
            paramLabel = "SHARE",
            description = "Share of canaries that must pass, 0 to 1 (default: ${DEFAULT-VALUE}).")
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

    @Option(
            names = "--max-load",
            paramLabel = "SECONDS",
            description = "How long a device may take until the model is warm, 1 to 3600; here, too (default:"
                    + " ${DEFAULT-VALUE}).")
    int maxLoadSeconds = (int) Publication.MAX_LOAD.toSeconds();

    @Option(
            names = "--device-memory",
            paramLabel = "MIB",
            description = "Memory that the devices have for it: a model that needs more is refused (default: not"
                    + " judged).")
    Optional<Long> deviceMemory = Optional.empty();

    @Mixin
    AttachmentOptions about = new AttachmentOptions();

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Override
    public Integer call() throws Exception {
        if (maxLoadSeconds < 1
                || maxLoadSeconds > MAX_LOAD_SECONDS
                || deviceMemory.orElse(1L) < 1
                || deviceMemory.orElse(1L) > Long.MAX_VALUE / MIB) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--max-load must be 1 to " + MAX_LOAD_SECONDS + ", and --device-memory 1 or more");
        }
        ModelInput input = ModelInput.of(file);
        Publication publication = new Publication(
                model,
                version,
                input.file(),
                input.digest(),
                template(input),
                canaries(input),
                from,
                epoch,
                minPassRatio,
                reference,
                maxDivergence,
                Duration.ofSeconds(maxLoadSeconds),
                deviceMemory.map(mib -> mib * MIB));
        Publication.Published done;
        try (ProgressLine line = Program.progress(spec, "")) {
            done = publication.publish(keys.repository(), about.attachments(), step -> {
                line.step(step);
                return line;
            });
        }
        var out = spec.commandLine().getOut();
        if (json) {
            out.println(new String(Json.write(done.toJson()), StandardCharsets.UTF_8));
        } else {
            Page page = new Page(Program.output(spec))
                    .section("Published " + model + " " + version)
                    .line("target", done.target())
                    .line("digest", "sha256:" + Units.digest(done.digest().hex()))
                    .line("length", Units.bytes(done.bytes()))
                    .line("needs", Units.bytes(done.memoryBytes()) + " of memory");
            done.checks().forEach(check -> page.line("passed", check.name() + ": " + check.detail()));
            done.deltas()
                    .forEach(patch -> page.line(
                            "patch",
                            String.format(
                                    Locale.ROOT,
                                    "from %s, %s, %.1f %% of the file",
                                    patch.from(),
                                    Units.bytes(patch.bytes()),
                                    100 * patch.ratio())));
            out.print(page);
            out.flush();
        }
        return 0;
    }

    private JsonNode template(ModelInput input) throws IOException, RejectedException {
        if (template.isPresent()) {
            return InputFile.object(template.get(), ModelInput.MAX_JSON_BYTES);
        }
        return input.template()
                .orElseThrow(() -> new ParameterException(
                        spec.commandLine(),
                        "--template FILE.json is missing, and no template.json came with " + file
                                + "; fleet template import " + file + " makes one"));
    }

    private JsonNode canaries(ModelInput input) throws IOException, RejectedException {
        return canaries.isPresent()
                ? InputFile.json(canaries.get(), ModelInput.MAX_JSON_BYTES)
                : input.canaries().orElseGet(() -> Json.object().putArray("canaries"));
    }
}
