package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * What a Director signs for one device, as it travels: not yet compared with what the Image repository lists. An {@link Order} is
 * what comes of it.
 *
 * @param device the device that it is for
 * @param version the order's number; the same number means the same order
 * @param issuedSeconds when it was made, in seconds since 1970: what raises a device's trusted time; 0 where not said
 * @param expires when it stops to be valid
 * @param nonce the device's question; empty for a device that cannot ask: then the order is good until it expires, as often as it is
 *     brought
 * @param files what the device shall run, in the words of the Image repository
 * @param rollout when and at what cost it may be carried out; at once where empty
 */
public record DirectorOrder(
        String device,
        long version,
        long issuedSeconds,
        Instant expires,
        Optional<Binary> nonce,
        List<TargetFile> files,
        Optional<Rollout> rollout) {
    /** Length of a device's nonce. */
    public static final int NONCE_BYTES = 32;

    private static final String DEVICE_FIELD = "device";
    private static final String ISSUED_FIELD = "issued";
    private static final String NONCE_FIELD = "nonce";
    /** Stands in an order in place of a nonce. */
    private static final String OFFLINE_FIELD = "offline";

    public DirectorOrder {
        files = List.copyOf(files);
    }

    /** An answer to one device's nonce. */
    public static DirectorOrder answering(
            Binary nonce, String device, long version, Instant issued, Instant expires, Collection<TargetFile> files) {
        return new DirectorOrder(
                device,
                version,
                issued.getEpochSecond(),
                expires,
                Optional.of(nonce),
                List.copyOf(files),
                Optional.empty());
    }

    /** An order for a device that cannot ask. */
    public static DirectorOrder offline(
            String device, long version, Instant issued, Instant expires, Collection<TargetFile> files) {
        return new DirectorOrder(
                device,
                version,
                issued.getEpochSecond(),
                expires,
                Optional.empty(),
                List.copyOf(files),
                Optional.empty());
    }

    /** The same under these terms. */
    public DirectorOrder under(Optional<Rollout> terms) {
        return new DirectorOrder(device, version, issuedSeconds, expires, nonce, files, terms);
    }

    /** The part that is signed, as {@link #read} reads it. */
    public ObjectNode signedPart() {
        ObjectNode signed = Envelope.head(RootDocument.DIRECTOR, version, expires)
                .put(DEVICE_FIELD, device)
                .put(ISSUED_FIELD, issuedSeconds);
        nonce.ifPresentOrElse(asked -> signed.put(NONCE_FIELD, asked.hex()), () -> signed.put(OFFLINE_FIELD, true));
        TargetsRole.put(signed, files);
        rollout.ifPresent(terms -> signed.set(Rollout.FIELD, terms.toJson()));
        return signed;
    }

    /** Reads the signed part; {@code UPD-FORMAT}, or {@code UPD-DIRECTOR-NONCE} where it answers nobody and is not for offline use. */
    public static DirectorOrder read(Envelope envelope) throws RejectedException {
        Fields signed = envelope.signed();
        Optional<Binary> nonce = nonce(signed);
        if (nonce.isEmpty() && !signed.node().path(OFFLINE_FIELD).asBoolean(false)) {
            throw new RejectedException(Code.UPD_DIRECTOR_NONCE, "no nonce, and not signed for offline use");
        }
        return new DirectorOrder(
                signed.text(DEVICE_FIELD, Envelope.MAX_NAME_CHARS),
                envelope.version(),
                signed.has(ISSUED_FIELD) ? signed.integer(ISSUED_FIELD, 0) : 0,
                envelope.expires(),
                nonce,
                List.copyOf(TargetsRole.files(signed).values()),
                signed.has(Rollout.FIELD) ? Optional.of(Rollout.of(signed.object(Rollout.FIELD))) : Optional.empty());
    }

    private static Optional<Binary> nonce(Fields signed) throws RejectedException {
        if (!signed.has(NONCE_FIELD)) {
            return Optional.empty();
        }
        if (Binary.fromHex(signed.text(NONCE_FIELD, 2 * NONCE_BYTES))
                instanceof Verdict.Accepted<Binary>(Binary asked)) {
            return Optional.of(asked);
        }
        throw new RejectedException(Code.UPD_DIRECTOR_NONCE, "the nonce is not hexadecimal");
    }
}
