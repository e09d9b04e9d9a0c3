package dev.holdfast.attestation;

import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import java.io.IOException;
import java.util.Map;
import java.util.function.Supplier;

/** Answers nonces with evidence; one at a time. Thread-safe. */
public final class Attester {
    public static final int MIN_NONCE_BYTES = 8;
    public static final int MAX_NONCE_BYTES = 64;

    private final Supplier<Map<String, String>> sandboxFacts;

    /**
     * @param sandboxFacts what the caller knows of its confinement, asked at each evidence; at most 16 short entries
     */
    public Attester(
            TeeBridge bridge,
            EventLog log,
            String agentName,
            String agentVersion,
            Supplier<Map<String, String>> sandboxFacts)
            throws TeeException {
        this.sandboxFacts = sandboxFacts;
    }

    /** Evidence for {@code nonce} (8 to 64 bytes): a tagged COSE_Sign1. */
    public byte[] attest(Binary nonce) throws TeeException, IOException {
        throw new IOException("not yet" + sandboxFacts);
    }
}
