package dev.holdfast.trust.client;

import java.io.IOException;
import java.util.Optional;

/**
 * Where metadata comes from: the MQTT link or an offline bundle on a device, HTTP elsewhere. Nothing that it returns is
 * trusted. Calls block; the trust client calls from one thread at a time.
 */
public interface MetadataSource {
    /**
     * Fetches {@code 2.root.json}, {@code timestamp.json}, {@code 7.snapshot.json}, {@code 5.targets.json} and so on.
     *
     * @param maxBytes the source must not return (and should not even receive) more than this
     * @return the bytes as they came, or empty where the other side says that there is no such file
     * @throws IOException where no answer came
     */
    Optional<byte[]> fetch(String fileName, int maxBytes) throws IOException;

    /**
     * Asks the Director what this device shall run.
     *
     * @param nonce {@value dev.holdfast.trust.release.DirectorOrder#NONCE_BYTES} fresh bytes that the signed answer must repeat
     * @return the signed order, or empty where the Director has none for this device
     * @throws IOException where no answer came
     */
    Optional<byte[]> directorOrder(byte[] nonce) throws IOException;

    /** Whether there is a Director on the other side. Where not, only orders that were signed for offline use are accepted. */
    default boolean answersNonces() {
        return true;
    }
}
