package dev.holdfast.trust.signing;

import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.SoftwareVerifier;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A root on its way through the hands of those who sign it. */
public final class RootSigning {
    private RootSigning() {}

    /** The same document with one signature of each key more; a signature that a key made before is replaced. */
    public static byte[] add(byte[] root, List<SigningKey> keys) throws RejectedException {
        Envelope envelope = Envelope.parse(root, "root", RootDocument.MAX_BYTES);
        Map<String, byte[]> signatures = new LinkedHashMap<>(envelope.signatures());
        for (SigningKey key : keys) {
            signatures.put(key.keyId(), key.sign(envelope.canonical()));
        }
        return Envelope.write(envelope.signed().node(), signatures);
    }

    /**
     * What every device will ask: whether {@code next} may follow {@code previous} (TUF 1.0.34 section 5.3.4 and 5.3.5), under the
     * families that {@code factory} pins. Accepted is its version.
     */
    public static Verdict<Long> follows(byte[] factory, byte[] previous, byte[] next) {
        return Verdict.of(() -> {
            FamilyPolicy families = FamilyPolicy.of(RootDocument.parse(factory));
            return RootDocument.parse(previous)
                    .next(next, families, new SoftwareVerifier())
                    .version();
        });
    }
}
