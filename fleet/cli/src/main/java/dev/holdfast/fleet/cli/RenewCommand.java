package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.SignedRole;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Table;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Signs again what expires. */
@Command(
        name = "renew",
        description = {
            "Signs targets, snapshot and timestamp again, as far as the keys at hand allow, so that they are good for their"
                    + " whole time. fleet serve does so by itself for snapshot and timestamp.",
            "Exit code 1 where keys of a role were missing: it stays as it was."
        },
        footer = {"", "Examples:", "  fleet renew", "  fleet renew --keys /media/keys"})
final class RenewCommand implements Callable<Integer> {
    private static final List<SignedRole> RENEWABLE =
            List.of(SignedRole.TARGETS, SignedRole.SNAPSHOT, SignedRole.TIMESTAMP);

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    OfflineKeys keys = new OfflineKeys();

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Override
    public Integer call() throws Exception {
        keys.in.directory().config();
        FleetRepository repository = keys.repository();
        Set<SignedRole> able = EnumSet.noneOf(SignedRole.class);
        List<String> missing = new ArrayList<>();
        for (SignedRole role : RENEWABLE) {
            List<String> files = repository.missingKeys(role);
            if (files.isEmpty()) {
                able.add(role);
            } else {
                missing.add(role + " was not renewed: " + String.join(", ", files) + " not found in "
                        + repository.keyFolders());
            }
        }
        // What stands above a role names it by its hash, and has to be signed with it.
        if (!able.contains(SignedRole.SNAPSHOT)) {
            able.remove(SignedRole.TARGETS);
        }
        Set<SignedRole> signed = repository.renew(able);
        print(repository.expiries(), signed, missing);
        return missing.isEmpty() ? 0 : 1;
    }

    private void print(Map<SignedRole, Instant> expiries, Set<SignedRole> signed, List<String> missing) {
        if (json) {
            ObjectNode all = Json.object();
            ArrayNode roles = all.putArray("renewed");
            signed.forEach(role -> roles.addObject()
                    .put("role", role.toString())
                    .put("expires", Objects.requireNonNull(expiries.get(role)).toString()));
            missing.forEach(all.putArray("missing")::add);
            spec.commandLine().getOut().println(new String(Json.write(all), StandardCharsets.UTF_8));
            return;
        }
        Instant now = Instant.now();
        Table table = new Table("RENEWED", "EXPIRES");
        signed.forEach(role -> table.row(role.toString(), Units.time(Objects.requireNonNull(expiries.get(role)), now)));
        spec.commandLine().getOut().print(table.on(Program.output(spec)));
        spec.commandLine().getOut().flush();
        missing.forEach(spec.commandLine().getErr()::println);
    }
}
