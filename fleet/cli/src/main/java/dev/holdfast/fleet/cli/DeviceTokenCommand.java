package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.EnrolmentToken;
import dev.holdfast.fleet.EnrolmentTokens;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.storage.Disk;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Table;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** Makes, lists and takes back what an image carries so that its devices are let in. */
@Command(
        name = "token",
        footer = {
            "",
            "Examples:",
            "  fleet devices token --out enrolment.token --uses 10000 --days 90",
            "  fleet devices token",
            "  fleet devices token --revoke 5e0f3a91b2c4d6e8"
        },
        description = {
            "Makes a token that lets in a number of devices without a person; without --out lists the tokens. Is audited.",
            "Put the file into the image, readable by the agent's user alone, and name it in holdfast.toml:"
                    + " enrolment-token-file. Whoever has it can enrol keys of their own, which are granted emulated at most."
        })
final class DeviceTokenCommand extends DeviceVerb {
    @Option(names = "--out", paramLabel = "FILE", description = "Makes a token and writes it there.")
    Optional<Path> file = Optional.empty();

    @Option(names = "--uses", paramLabel = "N", description = "How many devices it lets in (default: 1).")
    Optional<Integer> uses = Optional.empty();

    @Option(names = "--days", paramLabel = "N", description = "How long it does so (default: 30).")
    Optional<Integer> days = Optional.empty();

    @Option(names = "--revoke", paramLabel = "ID", description = "Takes a token back; devices that it let in stay.")
    Optional<String> revoked = Optional.empty();

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Override
    public Integer call() throws Exception {
        if (file.isPresent() && revoked.isPresent() || file.isEmpty() && (uses.isPresent() || days.isPresent())) {
            throw new ParameterException(
                    spec.commandLine(), "fleet devices token [--out FILE [--uses N] [--days N] | --revoke ID]");
        }
        FleetDirectory directory = directory();
        EnrolmentTokens tokens = new EnrolmentTokens(directory, Clock.systemUTC());
        if (file.isPresent()) {
            make(tokens, file.get());
        } else if (revoked.isPresent()) {
            tokens.revoke(revoked.get());
            out().println("revoked " + revoked.get());
        } else {
            list(tokens.list());
        }
        return 0;
    }

    private void make(EnrolmentTokens tokens, Path target) throws IOException, RejectedException {
        if (Files.exists(target)) {
            throw new RejectedException(Code.FLT_EXISTS, target + " is there; a token is never written over");
        }
        EnrolmentToken token = tokens.create(uses.orElse(1), Duration.ofDays(days.orElse(30)));
        try {
            Disk.LOCAL.replace(
                    target.toAbsolutePath(),
                    (token.text() + "\n").getBytes(StandardCharsets.US_ASCII),
                    Disk.Access.PRIVATE);
        } catch (IOException e) {
            tokens.revoke(token.id());
            throw e;
        }
        for (EnrolmentTokens.Standing one : tokens.list()) {
            if (one.id().equals(token.id())) {
                out().println(
                                json
                                        ? new String(
                                                Json.write(entry(Json.object().putArray("tokens"), one)),
                                                StandardCharsets.UTF_8)
                                        : "token " + token.id() + " lets in " + one.uses()
                                                + (one.uses() == 1 ? " device" : " devices") + " until " + one.until()
                                                + "; it is in " + target);
            }
        }
    }

    private static ObjectNode entry(ArrayNode list, EnrolmentTokens.Standing one) {
        return list.addObject()
                .put("token", one.id())
                .put("uses", one.uses())
                .put("used", one.used())
                .put("until", one.until().toString())
                .put("state", one.spent(Instant.now()).orElse("good"));
    }

    private void list(List<EnrolmentTokens.Standing> all) {
        if (json) {
            ArrayNode list = Json.object().putArray("tokens");
            all.forEach(one -> entry(list, one));
            out().println(new String(Json.write(list), StandardCharsets.UTF_8));
            return;
        }
        if (all.isEmpty()) {
            out().println("there is no enrolment token");
            return;
        }
        Table table = new Table("TOKEN", "USED", "OF", "UNTIL", "STATE");
        Instant now = Instant.now();
        all.forEach(one -> table.row(
                one.id(),
                Integer.toString(one.used()),
                Integer.toString(one.uses()),
                Units.time(one.until(), now),
                one.spent(now).orElse("good")));
        out().print(table.on(Program.output(spec)));
        out().flush();
    }
}
