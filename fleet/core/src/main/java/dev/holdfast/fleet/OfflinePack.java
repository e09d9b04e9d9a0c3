package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.bundle.OfflineBundleWriter;
import dev.holdfast.trust.release.Companion;
import dev.holdfast.trust.schema.RoleDocuments;
import dev.holdfast.trust.schema.SignedMetadata;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.signing.RoleKeys;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What goes on a stick: the metadata of today, an order for each device, and the files that the orders are about.
 *
 * @param devices whose orders are carried; each must have one, see {@code fleet desire}
 * @param life how long the orders and the timestamp are to last
 */
public record OfflinePack(List<String> devices, Content content, Duration life) {
    private static final int BUFFER_BYTES = 256 * 1024;

    /** Which files are carried. */
    public enum Content {
        FULL,
        DELTAS,
        ALL;

        boolean takes(TargetFile file) {
            return this == ALL || FleetRepository.field(file, "kind").equals("model") == (this == FULL);
        }
    }

    /** What was written. */
    public record Written(Path file, long bytes, Map<String, Long> orders, List<String> targets, Instant validUntil) {
        public ObjectNode toJson() {
            ObjectNode json = Json.object().put("file", file.toString()).put("bytes", bytes);
            ObjectNode list = json.putObject("orders");
            orders.forEach(list::put);
            targets.forEach(json.putArray("targets")::add);
            return json.put("validUntil", validUntil.toString());
        }
    }

    public OfflinePack {
        devices = List.copyOf(devices);
    }

    /** Signs a fresh timestamp, and what would expire too early; then writes {@code out}, whole or not at all. */
    public Written write(FleetRepository repository, RoleKeys directorKeys, Clock clock, Path out)
            throws IOException, RejectedException {
        FleetDirectory directory = repository.directory();
        directory.config();
        return directory.exclusively(() -> {
            repository.renew(life);
            Path temporary = out.resolveSibling(out.getFileName() + ".tmp");
            try {
                Written written = write(repository, directorKeys, clock.instant(), temporary, out);
                FleetDirectory.move(temporary, out);
                return written;
            } finally {
                Files.deleteIfExists(temporary);
            }
        });
    }

    private Written write(FleetRepository repository, RoleKeys directorKeys, Instant now, Path temporary, Path out)
            throws IOException, RejectedException {
        Instant until = now.plus(life);
        for (Instant expires : repository.expiries().values()) {
            until = expires.isBefore(until) ? expires : until;
        }
        if (!until.isAfter(now)) {
            throw new RejectedException(Code.UPD_EXPIRED, "a role expired at " + until + "; see fleet root status");
        }
        Map<String, Long> orders = new LinkedHashMap<>();
        List<String> targets = new ArrayList<>();
        try (FileChannel file = FileChannel.open(
                temporary, StandardOpenOption.WRITE, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING)) {
            OfflineBundleWriter bundle =
                    new OfflineBundleWriter(new BufferedOutputStream(Channels.newOutputStream(file), BUFFER_BYTES));
            for (String name : repository.metadataFiles()) {
                bundle.metadata(name, Files.readAllBytes(repository.directory().metadata(name)));
            }
            for (String device : devices) {
                FleetDirectory.requireDevice(device);
                DesiredModel wish = DesiredModel.read(repository.directory(), device)
                        .orElseThrow(() -> new RejectedException(Code.FLT_ABSENT, "nothing is desired of " + device));
                List<TargetFile> release = repository.release(wish.model(), wish.version());
                bundle.order(
                        device,
                        SignedMetadata.sign(
                                RoleDocuments.offlineOrder(
                                        wish.counter(), now, until, device, List.of(release.getFirst())),
                                directorKeys.keys()));
                orders.put(device, wish.counter());
                carry(repository.directory(), release, bundle, targets);
            }
            bundle.finish();
        }
        return new Written(out, Files.size(temporary), orders, targets, until);
    }

    private void carry(
            FleetDirectory directory, List<TargetFile> release, OfflineBundleWriter bundle, List<String> targets)
            throws IOException, RejectedException {
        for (TargetFile file : release) {
            if (content.takes(file) && !targets.contains(file.path())) {
                JsonNode blocks = file.custom().path("blocks");
                bundle.target(
                        file.sha256(),
                        directory.blob(file.sha256()),
                        blocks.path("bytes").asInt());
                targets.add(file.path());
            }
            // Small, and wanted with patches too.
            for (Companion.Kind kind : Companion.Kind.values()) {
                JsonNode about = file.custom().path(kind.field());
                if (about.isObject()) {
                    Sha256 digest =
                            Sha256.fromHex(about.path("digest").asText()).orThrow();
                    bundle.target(
                            digest,
                            directory.blob(digest),
                            about.path("blocks").path("bytes").asInt());
                }
            }
        }
    }
}
