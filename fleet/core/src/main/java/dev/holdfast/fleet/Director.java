package dev.holdfast.fleet;

import dev.holdfast.trust.release.DirectorOrder;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Signs orders. A device reads an order in parts, so the bytes for one device, nonce and counter stay the same for a
 * while although the signature schemes are randomised. Thread-safe.
 */
final class Director {
    private static final Duration ORDER_LIFE = Duration.ofDays(1);
    private static final Duration KEPT = Duration.ofMinutes(2);
    private static final int MAX_KEPT = 256;

    private record Key(String device, Binary nonce, long counter) {}

    private record Kept(byte[] bytes, Instant until) {}

    private final FleetRepository repository;
    private final RoleSigner keys;
    private final Clock clock;
    private final Map<Key, Kept> kept = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, Kept> eldest) {
            return size() > MAX_KEPT;
        }
    };

    Director(FleetRepository repository, RoleSigner keys, Clock clock) {
        this.repository = repository;
        this.keys = keys;
        this.clock = clock;
    }

    /** The signed order, or empty where nothing is desired of this device. */
    synchronized Optional<byte[]> order(String device, Binary nonce) throws IOException, RejectedException {
        Optional<DesiredModels> desired = DesiredModels.read(repository.directory(), device);
        if (desired.isEmpty()) {
            return Optional.empty();
        }
        DesiredModels wish = desired.get();
        Instant now = clock.instant();
        Key key = new Key(device, nonce, wish.counter());
        Kept known = kept.get(key);
        if (known != null && now.isBefore(known.until)) {
            return Optional.of(known.bytes);
        }
        DesiredModels.Content content = wish.content(repository);
        DirectorOrder order = DirectorOrder.answering(
                nonce, device, wish.counter(), now, now.plus(ORDER_LIFE), content.files(), content.terms());
        byte[] signed = keys.sign(order.signedPart());
        kept.put(key, new Kept(signed, now.plus(KEPT)));
        return Optional.of(signed);
    }
}
