package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.VerifierId;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Shows by what others know this verifier; makes its key where the fleet has none yet. */
@Command(
        name = "verifier",
        description = "Prints the verifier's public key, by which others check its results and archives; makes the key"
                + " where the fleet has none. Give the id to auditors by another way than the archives.",
        footer = {"", "Examples:", "  fleet verifier", "  fleet verifier --json | jq .jwk"})
final class VerifierCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Override
    public Integer call() throws Exception {
        VerifierId known = VerifierKey.open(in.directory()).publicHalf();
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            ObjectNode tree = Json.object().put("verifier", known.id().hex()).put("pem", known.pem());
            tree.set("jwk", known.jwk());
            out.println(new String(Json.write(tree), StandardCharsets.UTF_8));
        } else {
            out.println("verifier  " + known.id().hex());
            out.println();
            out.print(known.pem());
            out.flush();
        }
        return 0;
    }
}
