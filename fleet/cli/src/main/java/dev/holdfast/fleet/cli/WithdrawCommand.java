package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.DesiredModels;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Takes a release back, for good. */
@Command(
        name = "withdraw",
        description = {
            "Withdraws a release for good: no device trusts it again, by an order, a bundle, a rollback or as a fallback, and"
                    + " evidence of it is contraindicated. There is no command that undoes this.",
            "A device that serves it goes back to the release before when it hears of it. Devices that are ordered to run it"
                    + " are listed: order another release for them."
        },
        footer = {
            "",
            "Examples:",
            "  fleet withdraw chat 2.0.0 --reason 'answers with personal data' --yes",
            "  fleet withdraw chat 2.0.0 --keys /media/keys --yes"
        })
final class WithdrawCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    OfflineKeys keys = new OfflineKeys();

    @Parameters(index = "0", paramLabel = "MODEL", description = "The model's name.")
    String model = "";

    @Parameters(index = "1", paramLabel = "VERSION", description = "The version that is withdrawn.")
    String version = "";

    @Option(
            names = "--reason",
            paramLabel = "TEXT",
            description = "Why, at most 200 characters; it is signed, and devices and operators read it.")
    String reason = "";

    @Option(names = "--yes", required = true, description = "It is for good, and this says that you know.")
    boolean yes;

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Override
    public Integer call() throws Exception {
        if (reason.length() > Revocations.MAX_REASON_CHARS) {
            throw new ParameterException(
                    spec.commandLine(), "--reason has more than " + Revocations.MAX_REASON_CHARS + " characters");
        }
        FleetDirectory directory = keys.in.directory();
        directory.config();
        FleetRepository repository = keys.repository();
        String path = repository.withdraw(model, version, reason);
        List<String> ordered = ordered(directory);
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            ObjectNode done = Json.object().put("withdrawn", path);
            ordered.forEach(done.putArray("ordered")::add);
            out.println(new String(Json.write(done), StandardCharsets.UTF_8));
            return 0;
        }
        out.println("withdrawn for good: " + path);
        ordered.forEach(device -> out.println("ordered to run it: " + device + "; now fleet desire " + device + " "
                + model + " with another version"));
        out.flush();
        return 0;
    }

    private List<String> ordered(FleetDirectory directory) throws IOException, RejectedException {
        List<String> ordered = new ArrayList<>();
        for (String device : directory.enrolled()) {
            Optional<DesiredModels> wish = DesiredModels.read(directory, device);
            if (wish.isPresent()
                    && wish.get().models().containsKey(model)
                    && wish.get().models().get(model).version().equals(version)) {
                ordered.add(device);
            }
        }
        return ordered;
    }
}
