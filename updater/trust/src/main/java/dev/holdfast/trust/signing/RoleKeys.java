package dev.holdfast.trust.signing;

import java.util.List;

/** The keys of a role, as its signer holds them, and how many of them must sign. */
public record RoleKeys(List<SigningKey> keys, int threshold) {
    public RoleKeys {
        keys = List.copyOf(keys);
        if (threshold < 1 || threshold > keys.size()) {
            throw new IllegalArgumentException("threshold " + threshold + " of " + keys.size());
        }
    }
}
