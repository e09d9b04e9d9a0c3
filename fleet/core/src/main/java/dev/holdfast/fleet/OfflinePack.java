package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.bundle.OfflineBundleWriter;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.DirectorOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
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
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/**
 * What goes on a USB stick: the metadata of today, an order for each device, and the files that the orders are about.
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

        boolean takesModel() {
            return this != DELTAS;
        }

        boolean takesDeltas() {
            return this != FULL;
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

    /** What is signed, all of one moment. */
    private record Documents(Map<String, byte[]> metadata, List<SignedOrder> orders, Instant until) {}

    private record SignedOrder(String device, long version, byte[] file, List<FleetRepository.Release> releases) {}

    /** Signs a fresh timestamp, and what would expire too early; then writes {@code out}, whole or not at all. */
    public Written write(FleetRepository repository, RoleSigner director, Clock clock, Path out)
            throws IOException, RejectedException {
        FleetDirectory directory = repository.directory();
        directory.config();
        // Files under digests stay as they are, so that nobody has to wait while they are copied.
        Documents documents = directory.exclusively(() -> {
            repository.renew(life);
            return documents(repository, director, clock.instant());
        });
        Path temporary = out.resolveSibling(out.getFileName() + "." + UUID.randomUUID() + ".tmp");
        try {
            List<String> targets = write(documents, directory, temporary);
            Map<String, Long> orders = new LinkedHashMap<>();
            documents.orders.forEach(order -> orders.put(order.device, order.version));
            Written written = new Written(out, Files.size(temporary), orders, targets, documents.until);
            FleetDirectory.move(temporary, out);
            return written;
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private Documents documents(FleetRepository repository, RoleSigner director, Instant now)
            throws IOException, RejectedException {
        Instant until = now.plus(life);
        for (Instant expires : repository.expiries().values()) {
            until = expires.isBefore(until) ? expires : until;
        }
        if (!until.isAfter(now)) {
            throw new RejectedException(Code.UPD_EXPIRED, "a role expired at " + until + "; see fleet root status");
        }
        Map<String, byte[]> metadata = new LinkedHashMap<>();
        for (String name : repository.metadataFiles()) {
            metadata.put(name, Files.readAllBytes(repository.directory().metadata(name)));
        }
        List<SignedOrder> orders = new ArrayList<>();
        for (String device : devices) {
            FleetDirectory.requireName(device);
            new HeldOrders(repository.directory()).requireFree(device);
            DesiredModels wish = DesiredModels.read(repository.directory(), device)
                    .orElseThrow(() -> new RejectedException(Code.FLT_ABSENT, "nothing is desired of " + device));
            DesiredModels.Content content = wish.atOnce().content(repository);
            DirectorOrder order =
                    DirectorOrder.offline(device, wish.counter(), now, until, content.files(), content.terms());
            orders.add(new SignedOrder(device, wish.counter(), director.sign(order.signedPart()), content.releases()));
        }
        return new Documents(metadata, orders, until);
    }

    /** Returns the targets whose files are carried. */
    private List<String> write(Documents documents, FleetDirectory directory, Path temporary) throws IOException {
        Set<String> targets = new LinkedHashSet<>();
        try (FileChannel file = FileChannel.open(temporary, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
            OfflineBundleWriter bundle =
                    new OfflineBundleWriter(new BufferedOutputStream(Channels.newOutputStream(file), BUFFER_BYTES));
            for (Map.Entry<String, byte[]> one : documents.metadata.entrySet()) {
                bundle.metadata(one.getKey(), one.getValue());
            }
            for (SignedOrder order : documents.orders) {
                bundle.order(order.device, order.file);
                for (FleetRepository.Release release : order.releases) {
                    carry(directory, release, bundle, targets);
                }
            }
            bundle.finish();
        }
        return List.copyOf(targets);
    }

    private void carry(
            FleetDirectory directory, FleetRepository.Release release, OfflineBundleWriter bundle, Set<String> targets)
            throws IOException {
        ModelTarget model = release.model();
        if (content.takesModel()) {
            carry(directory, model.file(), model.blocks(), bundle);
            targets.add(model.file().path());
        }
        // Small, and wanted with patches too.
        for (Attachment about : model.attachments()) {
            carry(directory, about.file(), about.blocks(), bundle);
        }
        if (content.takesDeltas()) {
            for (DeltaTarget delta : release.deltas()) {
                carry(directory, delta.file(), delta.blocks(), bundle);
                targets.add(delta.file().path());
            }
        }
    }

    private static void carry(FleetDirectory directory, TargetFile file, BlockTree blocks, OfflineBundleWriter bundle)
            throws IOException {
        bundle.target(file.sha256(), directory.blob(file.sha256()), blocks.bytes());
    }
}
