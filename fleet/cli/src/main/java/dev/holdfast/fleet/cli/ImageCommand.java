package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.image.ImageVerifier;
import dev.holdfast.image.Provenance;
import dev.holdfast.image.ReleaseKey;
import dev.holdfast.image.VerifiedImage;
import dev.holdfast.terminal.Page;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Looks at container images of the programs before they are run. Needs no fleet directory and no network. */
@Command(name = "image", description = "Verifies a container image of Holdfast before it is run.")
final class ImageCommand {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Command(
            name = "verify",
            description = {
                "Verifies signature, provenance, bill of materials and every blob of an image, and says who built what"
                        + " from which commit. Needs no network.",
                "Exit code 0 only if all of it holds."
            },
            footer = {
                "",
                "Examples:",
                "  fleet image verify target/images/holdfast --key release.pub",
                "  skopeo copy docker://REGISTRY/holdfast:0.1.0 oci:holdfast:0.1.0   keeps no signature: copy the"
                        + " whole layout"
            })
    int verify(
            @Parameters(paramLabel = "LAYOUT", description = "The folder of the image, an OCI image layout.")
                    Path layout,
            @Option(
                            names = "--key",
                            paramLabel = "FILE.pem",
                            required = true,
                            description = "The public key of releases, ECDSA P-256 in PEM.")
                    Path key,
            @Option(names = "--json", description = "print JSON") boolean json)
            throws Exception {
        VerifiedImage image =
                InputFile.of(layout.toString(), ImageVerifier.verify(layout, InputFile.of(key.toString(), key(key))));
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(new String(Json.write(toJson(image)), StandardCharsets.UTF_8));
        } else {
            out.print(page(image, new Page(Program.output(spec))));
        }
        out.flush();
        return 0;
    }

    private static Verdict<ReleaseKey> key(Path file) throws IOException, RejectedException {
        if (Files.size(file) > ReleaseKey.MAX_PEM_BYTES) {
            throw new RejectedException(Code.IMG_KEY, file + " is longer than a public key");
        }
        return ReleaseKey.fromPem(Files.readString(file, StandardCharsets.ISO_8859_1));
    }

    private static Page page(VerifiedImage image, Page page) {
        Provenance built = image.provenance();
        page.section("Image")
                .line("name", built.name() + " " + built.version() + ", linux/" + built.architecture())
                .line("digest", "sha256:" + image.digest())
                .line("created", image.created())
                .line("size", Units.bytes(image.bytes()) + " in " + image.layers() + " layers")
                .line("signed by", "the key " + image.signer(), Page.Mark.GOOD)
                .section("Built")
                .line("by", built.builder())
                .line("source", built.source())
                .line("commit", built.commit());
        if (built.uncommitted()) {
            page.line("", "with changes that no commit has", Page.Mark.DOUBTFUL);
        }
        page.section("Made of")
                .line("components", image.components() + ", in the bill of materials sha256:" + built.bill());
        built.materials().forEach(each -> page.line("", each.uri()));
        return page;
    }

    private static ObjectNode toJson(VerifiedImage image) {
        Provenance built = image.provenance();
        ObjectNode json = Json.object()
                .put("name", built.name())
                .put("version", built.version())
                .put("architecture", built.architecture())
                .put("digest", "sha256:" + image.digest())
                .put("created", image.created())
                .put("layers", image.layers())
                .put("bytes", image.bytes())
                .put("signer", image.signer().hex())
                .put("builder", built.builder())
                .put("source", built.source())
                .put("commit", built.commit())
                .put("uncommitted", built.uncommitted())
                .put("components", image.components());
        ArrayNode materials = json.putArray("materials");
        built.materials()
                .forEach(each -> materials.addObject().put("uri", each.uri()).put("sha256", each.sha256()));
        return json;
    }
}
