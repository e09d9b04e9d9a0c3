package dev.holdfast.fleet;

import dev.holdfast.attestation.EnrolledDevice;
import dev.holdfast.wire.Binary;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Appraises stored evidence without a network. The device's record stays as it is. */
@Command(name = "verify", description = "Appraises stored evidence; exit code 0 only if it affirms.")
final class VerifyCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Mixin
    Appraiser appraiser = new Appraiser();

    @Parameters(index = "0", paramLabel = "EVIDENCE")
    Path evidence = Path.of("");

    @Option(names = "--nonce", required = true, description = "The challenge's nonce in hexadecimal.")
    String nonce = "";

    @Option(names = "--device", required = true, description = "The device's record.")
    Path device = Path.of("");

    @Override
    public Integer call() throws Exception {
        EnrolledDevice enrolled = Appraiser.enrolled(device);
        Binary asked = Binary.fromHex(nonce).orThrow();
        var appraisal = appraiser.appraise(
                Files.readAllBytes(evidence), asked, enrolled, in.repository().references());
        return appraiser.print(spec.commandLine().getOut(), spec.commandLine().getErr(), appraisal, enrolled);
    }
}
