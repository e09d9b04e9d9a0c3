package dev.holdfast.trust.schema;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import java.util.Optional;

/**
 * What a timestamp says of the snapshot, or a snapshot of the targets (TUF 1.0.34 section 4.4). Length and hash are
 * optional there.
 */
public record Meta(long version, Optional<Long> length, Optional<Hashes> hashes) {
    public static Meta of(Envelope parent, String name) throws RejectedException {
        Fields meta = parent.signed().object("meta").object(name);
        return new Meta(
                meta.integer("version", 1),
                meta.has("length") ? Optional.of(meta.integer("length", 1)) : Optional.empty(),
                meta.has("hashes") ? Optional.of(Hashes.read(meta.object("hashes"))) : Optional.empty());
    }

    public int maxBytes(int limit) {
        return (int) Math.min(limit, length.orElse((long) limit));
    }

    public void requireBytes(byte[] bytes, String role, int limit) throws RejectedException {
        boolean wrongLength = length.isPresent() && length.get() != bytes.length;
        boolean wrongHash = hashes.isPresent() && !hashes.get().match(bytes);
        if (bytes.length > limit || wrongLength || wrongHash) {
            throw new RejectedException(
                    Code.UPD_MISMATCH, role + " is not the file of " + bytes.length + " bytes that its parent names");
        }
    }

    /** Whether a stored file is the one that is meant. */
    public boolean names(Envelope stored) throws RejectedException {
        return stored.version() == version
                && length.map(bytes -> bytes == stored.bytes().length).orElse(true)
                && hashes.map(all -> all.match(stored.bytes())).orElse(true);
    }

    public void requireVersion(Envelope child) throws RejectedException {
        if (child.version() != version) {
            throw new RejectedException(
                    Code.UPD_MISMATCH, child.type() + " is version " + child.version() + ", not " + version);
        }
    }
}
