package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.signing.RootSigning;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A fleet that comes back from a backup which is older than what its devices have seen. Two things would go wrong. Devices refuse
 * versions and numbers below those that they know: so a new root gives Director, timestamp and snapshot other keys, which begins all
 * of them anew (TUF 1.0.34 section 5.3.11). And what the backup desires may be older than what devices run: so no device is ordered
 * anything until somebody says of it what holds.
 */
public record FleetRestore(FleetRepository repository, Clock clock) {
    private static final List<FleetKeys> ROTATED = List.of(FleetKeys.DIRECTOR, FleetKeys.TIMESTAMP, FleetKeys.SNAPSHOT);
    /** Numbers of orders go on with the next multiple of this, far beyond any that was given after the backup was made. */
    static final long NUMBERS_APART = 1_000_000;

    /**
     * What was done.
     *
     * @param held devices whose orders are held
     * @param root the version of the root that was published; empty where signatures are missing
     * @param draft that root, to be signed by those who hold its keys and then published
     */
    public record Begun(List<String> held, Optional<Long> root, Path draft) {}

    private FleetDirectory directory() {
        return repository.directory();
    }

    private FleetAudit audit() {
        return new FleetAudit(directory(), clock);
    }

    /**
     * Copies a backup of a fleet's directory, or takes it where it is, holds all orders, and rotates the keys. Cut off at any point, it
     * may be called again.
     *
     * @param backup may be the fleet's directory itself
     * @param roots roots that were published after the backup was made, in order
     * @param rootKeys folders with keys of the root, beside those in the directory's own {@code keys}
     */
    public Begun begin(Path backup, List<Path> roots, List<Path> rootKeys) throws IOException, RejectedException {
        FleetDirectory from = new FleetDirectory(backup);
        from.config();
        from.requireNames();
        Path root = directory().root();
        boolean inPlace = Files.exists(root) && Files.isSameFile(root, backup);
        if (!inPlace) {
            if (Files.exists(root.resolve("fleet.json"))) {
                throw new RejectedException(
                        Code.FLT_EXISTS,
                        root
                                + " holds a fleet; name a directory that does not exist yet, or take the fleet where it is: --resume-after "
                                + root);
            }
            copy(backup, root);
        }
        return directory().exclusively(() -> {
            List<String> held = hold();
            if (!inPlace) {
                // With it the fleet exists, and no service finds it before all orders are held.
                FleetDirectory.replace(root.resolve("fleet.json"), Files.readAllBytes(backup.resolve("fleet.json")));
            }
            audit().append(
                            "restore",
                            "",
                            Json.object().put("backup", backup.toString()).put("held", held.size()));
            return rotate(held, roots, rootKeys);
        });
    }

    /** What a fleet is made of; not what its devices said, which is older than what they say now. */
    private static void copy(Path backup, Path root) throws IOException {
        Files.walkFileTree(backup, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) throws IOException {
                Files.createDirectories(root.resolve(backup.relativize(folder).toString()));
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                String name = backup.relativize(file).toString();
                if (!name.equals("fleet.json") && !name.startsWith(".lock")) {
                    Files.copy(
                            file,
                            root.resolve(name),
                            StandardCopyOption.COPY_ATTRIBUTES,
                            StandardCopyOption.REPLACE_EXISTING);
                    FleetDirectory.force(root.resolve(name));
                }
                return FileVisitResult.CONTINUE;
            }
        });
    }

    private List<String> hold() throws IOException, RejectedException {
        HeldOrders orders = new HeldOrders(directory());
        List<String> held = new ArrayList<>();
        for (String device : directory().desiring()) {
            if (DesiredModels.read(directory(), device).isPresent()) {
                orders.hold(device);
                held.add(device);
            }
        }
        for (String suffix : List.of(".json", ".online")) {
            for (String device : directory().reporters(suffix)) {
                directory().forgetReports(device);
            }
        }
        return held;
    }

    private Begun rotate(List<String> held, List<Path> roots, List<Path> rootKeys)
            throws IOException, RejectedException {
        RootFolder folder = new RootFolder(directory());
        for (Path root : roots) {
            folder.follow(Files.readAllBytes(root));
        }
        // Fresh keys that the backup has may have been published after it was made: then they would not be fresh.
        folder.forgetDraft();
        byte[] next = folder.draft(ROTATED, clock.instant());
        List<SigningKey> keys =
                new ArrayList<>(FleetKeys.ROOT.loadPresent(directory().keys()));
        for (Path one : rootKeys) {
            keys.addAll(FleetKeys.ROOT.loadPresent(one, repository.keyFolders().passphrase()));
        }
        byte[] signed = RootSigning.add(next, keys);
        Path draft = directory().root().resolve("next-root.json");
        FleetDirectory.replace(draft, signed);
        Optional<Long> version = folder.publishIfSigned(signed, repository);
        if (version.isPresent()) {
            Files.delete(draft);
        }
        return new Begun(held, version, draft);
    }

    /** Devices whose orders are held still, sorted. */
    public List<HeldDevice> held() throws IOException, RejectedException {
        List<HeldDevice> held = new ArrayList<>();
        for (String device : directory().heldDevices()) {
            held.add(HeldDevice.read(directory(), device));
        }
        return held;
    }

    /**
     * What the device says that it serves is desired of it from now on.
     *
     * @return that; {@code FLT-ABSENT} where its orders are not held or it has named no model since the restore, {@code
     *     UPD-TARGET-UNKNOWN} where it serves what the restored fleet has not published
     */
    public DesiredModels keep(String device) throws IOException, RejectedException {
        return directory().exclusively(() -> {
            HeldDevice held = requireHeld(device);
            HeldDevice.Serving serving = held.reported()
                    .orElseThrow(() -> new RejectedException(
                            Code.FLT_ABSENT,
                            device + " has reported no model since the restore; let fleet serve run until it is online,"
                                    + " or choose what the backup says: fleet resume " + device + " --restored"));
            TreeMap<String, DesiredModels.Wish> models = new TreeMap<>();
            serving.versions()
                    .forEach((model, version) -> models.put(
                            model,
                            new DesiredModels.Wish(
                                    version,
                                    Optional.empty(),
                                    0,
                                    serving.grace().getOrDefault(model, List.of()),
                                    Optional.ofNullable(serving.drafts().get(model)))));
            return free("resume-keep", held, serving.byDefault(), models);
        });
    }

    /** What the backup says holds, whatever the device serves. @return that; {@code FLT-ABSENT} where its orders are not held */
    public DesiredModels restored(String device) throws IOException, RejectedException {
        return directory().exclusively(() -> {
            HeldDevice held = requireHeld(device);
            DesiredModels wish = held.restored()
                    .orElseThrow(
                            () -> new RejectedException(Code.FLT_ABSENT, "the backup desires nothing of " + device));
            return free("resume-restored", held, wish.byDefault(), new TreeMap<>(wish.models()));
        });
    }

    private HeldDevice requireHeld(String device) throws IOException, RejectedException {
        FleetDirectory.requireName(device);
        if (!new HeldOrders(directory()).holds(device)) {
            throw new RejectedException(Code.FLT_ABSENT, "no orders of " + device + " are held; see fleet resume");
        }
        return HeldDevice.read(directory(), device);
    }

    private DesiredModels free(
            String act, HeldDevice held, Optional<String> byDefault, TreeMap<String, DesiredModels.Wish> models)
            throws IOException, RejectedException {
        long last = held.restored().map(DesiredModels::counter).orElse(0L);
        DesiredModels wish = DesiredModels.anew(byDefault, models, (last / NUMBERS_APART + 1) * NUMBERS_APART);
        wish.requireThatAnOrderFits(repository, held.device());
        ObjectNode details = held.toJson();
        details.remove("device");
        audit().append(act, held.device(), details);
        wish.write(directory(), held.device());
        new HeldOrders(directory()).release(held.device());
        return wish;
    }
}
