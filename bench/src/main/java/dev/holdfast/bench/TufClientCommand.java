package dev.holdfast.bench;

import dev.holdfast.trust.client.HttpRepository;
import dev.holdfast.trust.client.RepositoryClient;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The command line that public conformance tests of TUF clients drive. Exits 0 when all was done, and 1 otherwise. */
@Command(name = "tuf-client")
public final class TufClientCommand {
    @Option(names = "--metadata-dir", required = true)
    Path metadata = Path.of("");

    @Option(names = "--metadata-url")
    String metadataUrl = "";

    @Option(names = "--target-name")
    List<String> targets = List.of();

    @Option(names = "--target-dir")
    Path targetDir = Path.of("");

    @Option(names = "--target-base-url")
    String targetUrl = "";

    private TufClientCommand() {}

    public static void main(String[] arguments) {
        CommandLine line = new CommandLine(new TufClientCommand());
        line.setExecutionExceptionHandler((failure, command, parsed) -> {
            System.err.println(failure.getMessage());
            return 1;
        });
        line.setParameterExceptionHandler((failure, parsed) -> {
            System.err.println(failure.getMessage());
            return 1;
        });
        System.exit(line.execute(arguments));
    }

    @Command(name = "init", description = "Trusts a root from now on.")
    int init(@Parameters(paramLabel = "ROOT") Path root) throws IOException {
        RepositoryClient.initialize(metadata, root);
        return 0;
    }

    @Command(name = "refresh", description = "Brings metadata up to date.")
    int refresh() throws IOException, RejectedException {
        open();
        return 0;
    }

    @Command(name = "download", description = "Refreshes, then downloads the targets that were named.")
    int download() throws IOException, RejectedException {
        RepositoryClient client = open();
        Files.createDirectories(targetDir);
        for (String name : targets) {
            Optional<TargetFile> found = client.find(name).orThrow();
            if (found.isEmpty()) {
                System.err.println("no role lists " + name);
                return 1;
            }
            String file = URLEncoder.encode(name, StandardCharsets.UTF_8);
            client.download(found.get(), targetUrl, targetDir.resolve(file)).orThrow();
        }
        return 0;
    }

    private RepositoryClient open() throws IOException, RejectedException {
        RepositoryClient client = RepositoryClient.open(metadata, new HttpRepository(metadataUrl), Clock.systemUTC())
                .orThrow();
        client.refresh().orThrow();
        return client;
    }
}
