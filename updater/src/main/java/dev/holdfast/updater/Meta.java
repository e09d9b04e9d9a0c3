package dev.holdfast.updater;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.Optional;

/**
 * What a timestamp says of the snapshot, or a snapshot of the targets (TUF 1.0.34 section 4.4). Length and hash are
 * optional there.
 */
record Meta(long version, Optional<Long> length, Optional<Sha256> hash) {
    static Meta of(Envelope parent, String name) throws RejectedException {
        Fields meta = parent.signed().object("meta").object(name);
        return new Meta(
                meta.integer("version", 1),
                meta.has("length") ? Optional.of(meta.integer("length", 1)) : Optional.empty(),
                meta.has("hashes") ? Optional.of(meta.object("hashes").sha256("sha256")) : Optional.empty());
    }

    int maxBytes(int limit) {
        return (int) Math.min(limit, length.orElse((long) limit));
    }

    void requireBytes(byte[] bytes, String role, int limit) throws RejectedException {
        boolean wrongLength = length.isPresent() && length.get() != bytes.length;
        boolean wrongHash = hash.isPresent() && !hash.get().equals(Sha256.of(bytes));
        if (bytes.length > limit || wrongLength || wrongHash) {
            throw new RejectedException(
                    Code.UPD_MISMATCH, role + " is not the file of " + bytes.length + " bytes that its parent names");
        }
    }

    void requireVersion(Envelope child) throws RejectedException {
        if (child.version() != version) {
            throw new RejectedException(
                    Code.UPD_MISMATCH, child.type() + " is version " + child.version() + ", not " + version);
        }
    }
}
