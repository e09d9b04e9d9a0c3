package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Clock;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The endorsement keys about which somebody decided, {@code accepted.csv}: those that may enrol, and those that may not. The file is
 * replaced whole; whoever reads sees it as it is then, also where another process wrote it. Thread-safe.
 */
public final class AcceptedKeys {
    private static final Comparator<Sha256> BY_TEXT = Comparator.comparing(Sha256::hex);

    /** What was read, of a file in this state. */
    private record Loaded(String stamp, SortedMap<Sha256, KeyLine> byKey, Map<String, Sha256> byName) {}

    private static final String ABSENT = "absent";

    private final FleetDirectory directory;
    private final Clock clock;
    private volatile Loaded loaded = new Loaded(ABSENT, new TreeMap<>(BY_TEXT), Map.of());

    public AcceptedKeys(FleetDirectory directory, Clock clock) {
        this.directory = directory;
        this.clock = clock;
    }

    private Path file() {
        return directory.root().resolve("accepted.csv");
    }

    /** What was decided about a key; {@code CFG-INVALID} where the file does not read. */
    Optional<KeyLine> find(Sha256 endorsement) throws IOException, RejectedException {
        return Optional.ofNullable(load().byKey().get(endorsement));
    }

    /** The key that a name is kept for. */
    Optional<Sha256> keptFor(String device) throws IOException, RejectedException {
        return Optional.ofNullable(load().byName().get(device));
    }

    private Loaded load() throws IOException, RejectedException {
        Loaded known = loaded;
        String stamp = stamp(file());
        if (stamp.equals(known.stamp())) {
            return known;
        }
        Loaded fresh = stamp.equals(ABSENT)
                ? new Loaded(ABSENT, new TreeMap<>(BY_TEXT), Map.of())
                : index(stamp, KeyLine.readAll(file()));
        loaded = fresh;
        return fresh;
    }

    /** Changes with each replacement of the file. */
    static String stamp(Path file) throws IOException {
        try {
            BasicFileAttributes now = Files.readAttributes(file, BasicFileAttributes.class);
            return now.fileKey() + " " + now.lastModifiedTime() + " " + now.size();
        } catch (NoSuchFileException e) {
            return ABSENT;
        }
    }

    private static Loaded index(String stamp, List<KeyLine> lines) {
        SortedMap<Sha256, KeyLine> byKey = new TreeMap<>(BY_TEXT);
        Map<String, Sha256> byName = new HashMap<>();
        for (KeyLine line : lines) {
            byKey.put(line.endorsement(), line);
            if (!line.refused()) {
                line.device().ifPresent(name -> byName.put(name, line.endorsement()));
            }
        }
        return new Loaded(stamp, byKey, byName);
    }

    /** What became of a list. @param changed keys of which something else is said than before @param rejected keys that stay rejected */
    public record Decided(int changed, int rejected) {}

    /** Writes down what was decided about a key, in the place of what was before; {@code CFG-INVALID} where its name is kept for another. */
    public void decide(KeyLine line, String act) throws IOException, RejectedException {
        directory.exclusively(() -> {
            var details = Json.object().put("endorsement", line.endorsement().hex());
            line.grants().ifPresent(rank -> details.put("grants", rank.name()));
            return put(List.of(line), act, line.device().orElse(""), details, true);
        });
    }

    /**
     * Takes a list, all of it or none. A key that was rejected stays so: a list that is imported each night brings back nothing.
     *
     * @param from the list's name, for the audit
     */
    public Decided take(Collection<KeyLine> lines, String from) throws IOException, RejectedException {
        return directory.exclusively(
                () -> put(lines, "import", "", Json.object().put("from", from), false));
    }

    private Decided put(
            Collection<KeyLine> lines, String act, String device, ObjectNode details, boolean overRejections)
            throws IOException, RejectedException {
        SortedMap<Sha256, KeyLine> all = new TreeMap<>(BY_TEXT);
        all.putAll(load().byKey());
        int changed = 0;
        int rejected = 0;
        for (KeyLine line : lines) {
            KeyLine before = all.get(line.endorsement());
            if (before != null && before.refused() && !line.refused() && !overRejections) {
                rejected++;
            } else if (!line.equals(before)) {
                all.put(line.endorsement(), line);
                changed++;
            }
        }
        if (changed > 0) {
            KeyLine.requireApart(all.values());
            new FleetAudit(directory, clock).append(act, device, details.put("keys", changed));
            FleetDirectory.replace(file(), KeyLine.write(all.values()));
        }
        return new Decided(changed, rejected);
    }

    /** Forgets what was decided about a key. To be called {@linkplain FleetDirectory#exclusively exclusively}. */
    void forget(Sha256 endorsement) throws IOException, RejectedException {
        SortedMap<Sha256, KeyLine> all = new TreeMap<>(BY_TEXT);
        all.putAll(load().byKey());
        if (all.remove(endorsement) != null) {
            FleetDirectory.replace(file(), KeyLine.write(all.values()));
        }
    }
}
