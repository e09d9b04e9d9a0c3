package dev.holdfast.fleet;

import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.link.Topics;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.P256;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which name each key is enrolled under, {@code bound/<SHA-256 of the key>}: so that one endorsement key, and one signer, is one device.
 * A binding counts only while the record of its device holds the key. It is written before that record, so none is missing. To be
 * used {@linkplain FleetDirectory#exclusively exclusively}.
 */
record KeyBindings(FleetDirectory directory) {
    private static final Logger LOG = LoggerFactory.getLogger(KeyBindings.class);

    private Path folder() {
        return directory.root().resolve("bound");
    }

    private Path file(Sha256 key) {
        return folder().resolve(key.hex());
    }

    private static Set<Sha256> keys(EnrolledDevice device) {
        Set<Sha256> keys = new LinkedHashSet<>();
        keys.add(device.endorsement());
        keys.add(Sha256.of(P256.encode(device.signer()).toArray()));
        return keys;
    }

    /** The other name under which a key of this device is enrolled. */
    Optional<String> other(EnrolledDevice device) throws IOException, RejectedException {
        for (Sha256 key : keys(device)) {
            if (Files.exists(file(key))) {
                String name = Files.readString(file(key), StandardCharsets.ISO_8859_1);
                if (!name.equals(device.deviceId()) && Topics.isName(name) && holds(name, key)) {
                    return Optional.of(name);
                }
            }
        }
        return Optional.empty();
    }

    private boolean holds(String name, Sha256 key) throws IOException, RejectedException {
        return directory.isEnrolled(name)
                && keys(new DeviceRecords(directory).read(name)).contains(key);
    }

    void bind(EnrolledDevice device) throws IOException {
        for (Sha256 key : keys(device)) {
            FleetDirectory.replace(file(key), device.deviceId().getBytes(StandardCharsets.US_ASCII));
        }
    }

    /** Removes what {@link #bind} wrote, after the record. */
    void unbind(EnrolledDevice device) throws IOException {
        for (Sha256 key : keys(device)) {
            if (Files.exists(file(key))
                    && Files.readString(file(key), StandardCharsets.ISO_8859_1).equals(device.deviceId())) {
                FleetDirectory.delete(file(key));
            }
        }
    }

    /** Binds the keys of a fleet whose devices enrolled before there were bindings; once. */
    void complete() throws IOException, RejectedException {
        Path whole = folder().resolve("whole");
        if (!Files.exists(whole)) {
            Disk.LOCAL.createDirectories(folder());
            for (String device : directory.enrolled()) {
                try {
                    EnrolledDevice record = new DeviceRecords(directory).read(device);
                    if (other(record).isEmpty()) {
                        bind(record);
                    }
                } catch (RejectedException e) {
                    // It holds no keys then, and says so where it is used.
                    LOG.warn("the record of {} does not read: {}", device, e.rejection());
                }
            }
            FleetDirectory.replace(whole, new byte[0]);
        }
    }
}
