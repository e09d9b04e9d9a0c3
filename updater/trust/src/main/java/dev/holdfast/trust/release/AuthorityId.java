package dev.holdfast.trust.release;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;

/** How the update anchor under which a model was published is named in evidence: SHA-256 over its TUF key id as text. */
public final class AuthorityId {
    private AuthorityId() {}

    public static Binary of(String keyId) {
        return Sha256.of(keyId.getBytes(StandardCharsets.UTF_8)).value();
    }
}
