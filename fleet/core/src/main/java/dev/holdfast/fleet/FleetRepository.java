package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.RoleDocuments;
import dev.holdfast.trust.schema.SignedMetadata;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.signing.RoleKeys;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The Image repository: what is published, and how it is signed. Reading trusts the operator's own disk. The timestamp is
 * written last, so that devices never see a half-written release. One writer at a time.
 */
public final class FleetRepository {
    private static final int MAX_METADATA_BYTES = 4 * 1024 * 1024;
    static final Duration ROOT_LIFE = Duration.ofDays(365);
    private static final Duration TARGETS_LIFE = Duration.ofDays(90);
    private static final Duration SNAPSHOT_LIFE = Duration.ofDays(30);
    private static final Duration TIMESTAMP_LIFE = Duration.ofDays(7);

    /** Of every role, for good: what the factory root says binds a device until it is provisioned again. */
    private static final FamilyPolicy FAMILIES = new FamilyPolicy(1, 1);

    private final FleetDirectory directory;
    private final Clock clock;

    public FleetRepository(FleetDirectory directory, Clock clock) {
        this.directory = directory;
        this.clock = clock;
    }

    public FleetDirectory directory() {
        return directory;
    }

    /** Makes keys, the factory root and empty metadata. @return the factory root's file */
    public Path init(FleetDirectory.Config config) throws IOException, RejectedException {
        directory.create(config);
        RoleDocuments.Roles roles = FleetKeys.generateAll(directory.keys());
        Instant now = clock.instant();
        Path root = directory.metadata("1.root.json");
        FleetDirectory.replace(
                root,
                SignedMetadata.sign(
                        FAMILIES.into(RoleDocuments.root(1, now.plus(ROOT_LIFE), roles)),
                        roles.root().keys()));
        sign(List.of(), new Versions(0, 0, 0), roles.targets(), roles.snapshot(), roles.timestamp());
        directory.write(config);
        return root;
    }

    /** Signs and publishes {@code files} as the whole content of targets. */
    public void publish(Collection<TargetFile> files) throws IOException, RejectedException {
        Path keys = directory.keys();
        sign(
                files,
                versions(),
                FleetKeys.TARGETS.load(keys),
                FleetKeys.SNAPSHOT.load(keys),
                FleetKeys.TIMESTAMP.load(keys));
    }

    /** Lets the timestamp, and what would expire before it, live on for {@code life}. */
    void renew(Duration life) throws IOException, RejectedException {
        Instant until = clock.instant().plus(life);
        Map<String, Instant> expiries = expiries();
        expiries.keySet().removeAll(List.of("root", "timestamp"));
        if (expiries.values().stream().anyMatch(expires -> expires.isBefore(until))) {
            publish(targets());
        }
        Versions last = versions();
        byte[] snapshot = Files.readAllBytes(directory.metadata(last.snapshot + ".snapshot.json"));
        FleetDirectory.replace(
                directory.metadata("timestamp.json"),
                SignedMetadata.sign(
                        RoleDocuments.timestamp(last.timestamp + 1, until, last.snapshot, snapshot),
                        FleetKeys.TIMESTAMP.load(directory.keys()).keys()));
    }

    /** Names of all files that a device needs from the factory root on. */
    List<String> metadataFiles() throws IOException, RejectedException {
        List<String> names = new ArrayList<>();
        for (int version = 1; Files.exists(directory.metadata(version + ".root.json")); version++) {
            names.add(version + ".root.json");
        }
        String snapshot = versions().snapshot + ".snapshot.json";
        names.add("timestamp.json");
        names.add(snapshot);
        for (Map.Entry<String, JsonNode> entry : signed(snapshot).path("meta").properties()) {
            names.add(entry.getValue().path("version").asLong() + "." + entry.getKey());
        }
        return names;
    }

    private record Versions(long targets, long snapshot, long timestamp) {}

    private void sign(
            Collection<TargetFile> files, Versions last, RoleKeys targetKeys, RoleKeys snapshotKeys, RoleKeys stampKeys)
            throws IOException {
        Instant now = clock.instant();
        long targetsVersion = last.targets + 1;
        byte[] targets = SignedMetadata.sign(
                RoleDocuments.targets(targetsVersion, now.plus(TARGETS_LIFE), files), targetKeys.keys());
        long snapshotVersion = last.snapshot + 1;
        byte[] snapshot = SignedMetadata.sign(
                RoleDocuments.snapshot(snapshotVersion, now.plus(SNAPSHOT_LIFE), targetsVersion, targets),
                snapshotKeys.keys());
        byte[] timestamp = SignedMetadata.sign(
                RoleDocuments.timestamp(last.timestamp + 1, now.plus(TIMESTAMP_LIFE), snapshotVersion, snapshot),
                stampKeys.keys());
        FleetDirectory.replace(directory.metadata(targetsVersion + ".targets.json"), targets);
        FleetDirectory.replace(directory.metadata(snapshotVersion + ".snapshot.json"), snapshot);
        FleetDirectory.replace(directory.metadata("timestamp.json"), timestamp);
    }

    private Versions versions() throws IOException, RejectedException {
        JsonNode timestamp = signed("timestamp.json");
        long snapshot = named(timestamp, "snapshot.json");
        long targets = named(signed(snapshot + ".snapshot.json"), "targets.json");
        return new Versions(targets, snapshot, timestamp.path("version").asLong());
    }

    private static long named(JsonNode signed, String file) {
        return signed.path("meta").path(file).path("version").asLong();
    }

    private JsonNode signed(String file) throws IOException, RejectedException {
        return FleetDirectory.readJson(directory.metadata(file), MAX_METADATA_BYTES)
                .orElseThrow(() -> new RejectedException(Code.FLT_ABSENT, "no metadata file " + file))
                .path("signed");
    }

    /** When each role of today expires. */
    public Map<String, Instant> expiries() throws IOException, RejectedException {
        long root = 1;
        while (Files.exists(directory.metadata((root + 1) + ".root.json"))) {
            root++;
        }
        Versions versions = versions();
        Map<String, Instant> expiries = new LinkedHashMap<>();
        expiries.put("root", expires(root + ".root.json"));
        expiries.put("targets", expires(versions.targets + ".targets.json"));
        expiries.put("snapshot", expires(versions.snapshot + ".snapshot.json"));
        expiries.put("timestamp", expires("timestamp.json"));
        return expiries;
    }

    private Instant expires(String file) throws IOException, RejectedException {
        return Instant.parse(signed(file).path("expires").asText());
    }

    /** Everything that is published, in the order of publication. */
    public List<TargetFile> targets() throws IOException, RejectedException {
        List<TargetFile> files = new ArrayList<>();
        JsonNode listed = signed(versions().targets + ".targets.json").path("targets");
        for (Map.Entry<String, JsonNode> entry : listed.properties()) {
            JsonNode target = entry.getValue();
            Sha256 digest = Sha256.fromHex(target.path("hashes").path("sha256").asText())
                    .orThrow();
            JsonNode custom = target.path("custom");
            files.add(new TargetFile(
                    entry.getKey(),
                    target.path("length").asLong(),
                    digest,
                    custom.isObject() ? custom : Json.object()));
        }
        return files;
    }

    /** The model's target, then all patches that make it; {@code UPD-TARGET-UNKNOWN}. */
    public List<TargetFile> release(String model, String version) throws IOException, RejectedException {
        List<TargetFile> found = new ArrayList<>();
        for (TargetFile file : targets()) {
            if (field(file, "model").equals(model) && field(file, "version").equals(version)) {
                found.add(field(file, "kind").equals("model") ? 0 : found.size(), file);
            }
        }
        if (found.isEmpty() || !field(found.getFirst(), "kind").equals("model")) {
            throw new RejectedException(Code.UPD_TARGET_UNKNOWN, model + " " + version + " is not published");
        }
        return found;
    }

    /** The newest release of a model. */
    Optional<TargetFile> newest(String model) throws IOException, RejectedException {
        return targets().stream()
                .filter(file -> field(file, "kind").equals("model")
                        && field(file, "model").equals(model))
                .max((a, b) -> Long.compare(number(a, "release"), number(b, "release")));
    }

    /** What a verifier takes as reference values. */
    public ReferenceModels references() throws IOException, RejectedException {
        Set<Binary> authorities = authorities();
        Map<Sha256, ReferenceModels.Reference> models = new HashMap<>();
        for (TargetFile file : targets()) {
            if (field(file, "kind").equals("model")) {
                models.put(
                        file.sha256(),
                        new ReferenceModels.Reference(
                                field(file, "model"),
                                field(file, "version"),
                                Optional.of(file.path()),
                                Optional.of(number(file, "epoch")),
                                Optional.of(Sha256.of(
                                        CanonicalJson.bytes(file.custom().path("template")))),
                                authorities));
            }
        }
        return ReferenceModels.of(models);
    }

    /** The keys that ever signed targets and that a TEE can check, as devices name them in their logs. */
    private Set<Binary> authorities() throws IOException, RejectedException {
        Set<Binary> ids = new HashSet<>();
        for (long version = 1; Files.exists(directory.metadata(version + ".root.json")); version++) {
            JsonNode root = signed(version + ".root.json");
            for (JsonNode id : root.path("roles").path("targets").path("keyids")) {
                if (root.path("keys").path(id.asText()).path("keytype").asText().equals("ecdsa")) {
                    ids.add(Sha256.of(id.asText().getBytes(StandardCharsets.UTF_8))
                            .value());
                }
            }
        }
        return ids;
    }

    static String field(TargetFile file, String name) {
        return file.custom().path(name).asText();
    }

    static long number(TargetFile file, String name) {
        return file.custom().path(name).asLong();
    }

    /** Copies a file to its place by digest. */
    Sha256 keep(Path file) throws IOException {
        Path temporary = Files.createTempFile(directory.blobs(), "new-", ".tmp");
        try {
            Files.copy(file, temporary, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
            // Hash of the copy: the original may change under us.
            Sha256 digest = Sha256.ofFile(temporary);
            FleetDirectory.move(temporary, directory.blob(digest));
            return digest;
        } finally {
            Files.deleteIfExists(temporary);
        }
    }
}
