package dev.holdfast.trust.signing;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.trust.schema.RootDocument;
import java.util.List;

/**
 * Whoever signs for a role: its private keys, and how many of them must sign. Documents take {@link #role()}, which holds none.
 */
public record RoleSigner(List<SigningKey> keys, int threshold) {
    public RoleSigner {
        keys = List.copyOf(keys);
        if (threshold < 1 || threshold > keys.size()) {
            throw new IllegalArgumentException("threshold " + threshold + " of " + keys.size());
        }
    }

    /** The public half, as a root names it. */
    public RootDocument.Role role() {
        return RootDocument.Role.of(keys.stream().map(SigningKey::publicKey).toList(), threshold);
    }

    /** The file to publish, with a signature of each key. */
    public byte[] sign(JsonNode signed) {
        return SignedMetadata.sign(signed, keys);
    }
}
