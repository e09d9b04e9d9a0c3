package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.FleetKeys;
import dev.holdfast.fleet.OfflinePack;
import dev.holdfast.terminal.Page;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Writes a file for a USB stick. */
@Command(
        name = "bundle",
        description = "Writes what devices without a network need into one file, for holdfast install.",
        footer = {"", "Example:", "  fleet bundle --device cam-7 --device cam-8 --content deltas --out update.hfb"})
final class BundleCommand implements Callable<Integer> {
    /** A snapshot lives no longer. */
    private static final int MAX_DAYS = 30;

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            required = true,
            description = "Device whose order is carried; repeatable.")
    List<String> devices = new ArrayList<>();

    @Option(names = "--out", paramLabel = "FILE", required = true, description = "The file to write.")
    Path out = Path.of("");

    @Option(
            names = "--content",
            paramLabel = "KIND",
            description = "Files to carry: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    OfflinePack.Content content = OfflinePack.Content.FULL;

    @Option(
            names = "--days",
            paramLabel = "N",
            description =
                    "How long the bundle is good, 1 to 30 (default: ${DEFAULT-VALUE}). The published timestamp then"
                            + " lives as long.")
    int days = 7;

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Override
    public Integer call() throws Exception {
        if (days < 1 || days > MAX_DAYS) {
            throw new ParameterException(spec.commandLine(), "--days must be 1 to " + MAX_DAYS);
        }
        OfflinePack.Written written = new OfflinePack(devices, content, Duration.ofDays(days))
                .write(in.repository(), FleetKeys.DIRECTOR.load(in.directory().keys()), Clock.systemUTC(), out);
        PrintWriter text = spec.commandLine().getOut();
        if (json) {
            text.println(new String(Json.write(written.toJson()), StandardCharsets.UTF_8));
        } else {
            Page page = new Page(Program.output(spec))
                    .section("Bundle " + written.file())
                    .line("length", Units.bytes(written.bytes()))
                    .line("good until", Units.time(written.validUntil(), Instant.now()));
            written.orders().forEach((device, order) -> page.line("order", order + " of " + device));
            written.targets().forEach(target -> page.line("carries", target));
            text.print(page);
            text.flush();
        }
        return 0;
    }
}
