package dev.holdfast.link;

import dev.holdfast.wire.Binary;
import java.io.ByteArrayOutputStream;
import java.util.Optional;

/**
 * Joins the parts of one device's answer to one nonce. A broker delivers them in the order in which they were sent (MQTT 5 section
 * 4.6), perhaps some of them twice. What does not continue what is there is left out, so that memory grows with what came, and never
 * beyond {@value Evidence#MAX_TOTAL_BYTES} bytes. Who may publish on the device's topic can spoil an answer, but not make one: the
 * whole is signed. Belongs to one thread at a time.
 */
public final class EvidenceAssembly {
    private final Binary nonce;
    private final ByteArrayOutputStream joined = new ByteArrayOutputStream();
    private int total;

    public EvidenceAssembly(Binary nonce) {
        this.nonce = nonce;
    }

    /** The whole evidence with its last part; empty before that, and for parts of another answer. */
    public Optional<Binary> take(Evidence part) {
        if (!part.nonce().equals(nonce)) {
            return Optional.empty();
        }
        if (part.isWhole()) {
            // Whatever somebody else began does not keep it out.
            return Optional.of(part.data());
        }
        if (part.offset() != joined.size() || joined.size() > 0 && part.total() != total) {
            return Optional.empty();
        }
        total = part.total();
        joined.writeBytes(part.data().toArray());
        if (joined.size() < total) {
            return Optional.empty();
        }
        Binary whole = Binary.copyOf(joined.toByteArray());
        joined.reset();
        return Optional.of(whole);
    }
}
