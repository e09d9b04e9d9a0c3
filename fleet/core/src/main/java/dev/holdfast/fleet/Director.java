package dev.holdfast.fleet;

import dev.holdfast.link.Reply;
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
 * Signs orders. A device reads a long order in parts, so the bytes of such a one for one device, nonce and counter stay the same for a
 * while although the signature schemes are randomised. Thread-safe.
 */
final class Director {
    private static final Duration ORDER_LIFE = Duration.ofDays(1);
    private static final Duration KEPT = Duration.ofMinutes(2);
    private static final int MAX_DEVICES = 256;
    /** Of one device, so that whoever asks in its name pushes out none of another's. */
    private static final int MAX_KEPT = 4;

    private record Key(Binary nonce, long counter) {}

    private record Kept(byte[] bytes, Instant until) {}

    private final FleetRepository repository;
    private final RoleSigner keys;
    private final Clock clock;
    private final Map<String, Map<Key, Kept>> kept = bounded(MAX_DEVICES);

    Director(FleetRepository repository, RoleSigner keys, Clock clock) {
        this.repository = repository;
        this.keys = keys;
        this.clock = clock;
    }

    /** The one that was used least lately makes place. */
    private static <K, V> Map<K, V> bounded(int size) {
        return new LinkedHashMap<>(16, 0.75f, true) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
                return size() > size;
            }
        };
    }

    /** The signed order, or empty where nothing is desired of this device, or its orders are held. */
    Optional<byte[]> order(String device, Binary nonce) throws IOException, RejectedException {
        if (new HeldOrders(repository.directory()).holds(device)) {
            return Optional.empty();
        }
        Optional<DesiredModels> desired = DesiredModels.read(repository.directory(), device);
        if (desired.isEmpty()) {
            return Optional.empty();
        }
        DesiredModels wish = desired.get();
        Instant now = clock.instant();
        Key key = new Key(nonce, wish.counter());
        Optional<byte[]> known = kept(device, key, now);
        if (known.isPresent()) {
            return known;
        }
        DesiredModels.Content content = wish.content(repository);
        DirectorOrder order = DirectorOrder.answering(
                nonce, device, wish.counter(), now, now.plus(ORDER_LIFE), content.files(), content.terms());
        byte[] signed = keys.sign(order.signedPart());
        return Optional.of(signed.length > Reply.PART_BYTES ? keep(device, key, signed, now) : signed);
    }

    private synchronized Optional<byte[]> kept(String device, Key key, Instant now) {
        return Optional.ofNullable(kept.get(device))
                .map(orders -> orders.get(key))
                .filter(order -> now.isBefore(order.until))
                .map(Kept::bytes);
    }

    /** What counts: the first of two that were signed at once. */
    private synchronized byte[] keep(String device, Key key, byte[] signed, Instant now) {
        Optional<byte[]> first = kept(device, key, now);
        if (first.isPresent()) {
            return first.get();
        }
        kept.computeIfAbsent(device, name -> bounded(MAX_KEPT)).put(key, new Kept(signed, now.plus(KEPT)));
        return signed;
    }
}
