package dev.holdfast.agent;

import dev.holdfast.agent.state.StateLock;
import dev.holdfast.agent.state.StateOwner;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeInventory;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
        name = "deprovision",
        description = {
            "Removes anchor, counter and stored keys from the TEE, and the state that they authenticate.",
            "Models, the history of installs, and a line in provisioning.jsonl stay."
        },
        footer = {"", "Example:", "  holdfast deprovision"})
final class DeprovisionCommand extends AgentCommand.Configured {
    private final Operator operator;

    @Mixin
    Consent consent = new Consent();

    DeprovisionCommand(Operator operator) {
        this.operator = operator;
    }

    @Override
    public Integer call() throws RejectedException, IOException, TeeException {
        AgentConfig config = config();
        StateOwner.require(config.stateDir(), spec);
        try (StateLock _ = StateLock.take(config.stateDir())) {
            remove(config);
        }
        return 0;
    }

    private void remove(AgentConfig config) throws RejectedException, IOException, TeeException {
        TeeFiles files = new TeeFiles(config.stateDir());
        Consent.Given given = consent.of(operator);
        List<String> removed;
        Optional<Sha256> anchored;
        try (TeeBridge bridge = TeeBridges.open(config, files.authorization(), Optional.empty())) {
            TeeInventory inventory = bridge.inventory();
            anchored = inventory.factoryRoot();
            out().println(anchored.map(root -> "anchored: " + root).orElse("nothing is anchored"));
            for (TeeInventory.Finding finding : inventory.findings()) {
                out().println("  " + finding.name() + ": " + finding.detail());
            }
            out().flush();
            given.require("Remove all of it from " + config.root().tee() + "? The device then trusts no fleet");
            Provisioner provisioner = TeeBridges.provisioner(bridge);
            removed = new ArrayList<>(provisioner.remove(given.ownerPassword(provisioner)));
        }
        for (Path folder : List.of(config.trustDir(), config.certificateDir())) {
            if (removeTree(folder)) {
                removed.add(folder.toString());
            }
        }
        files.remove();
        new ProvisioningLog(config.stateDir())
                .append(
                        ProvisioningLog.Act.DEPROVISIONED,
                        config,
                        Json.object()
                                .put("factoryRoot", anchored.map(Sha256::hex).orElse(""))
                                .put("tee", config.root().tee()),
                        removed);
        removed.forEach(what -> out().println("removed: " + what));
        out().println("this device trusts no fleet any more; the fleet forgets it by: fleet devices forget "
                + config.identity().device().orElse("with the name that fleet devices shows"));
        out().flush();
    }

    /** Whether there was one. */
    private static boolean removeTree(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return false;
        }
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path done, @Nullable IOException failure) throws IOException {
                Files.delete(done);
                return FileVisitResult.CONTINUE;
            }
        });
        Disk.LOCAL.syncDirectory(Disk.directoryOf(folder));
        return true;
    }
}
