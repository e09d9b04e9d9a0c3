package dev.holdfast.agent;

import dev.holdfast.link.Reply;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.wire.Code;
import java.io.ByteArrayOutputStream;

/**
 * A document that comes in full parts, one after the other. Whoever sends it byte by byte, or makes it longer and longer, is not listened
 * to. Not thread-safe.
 */
final class DocumentParts {
    private final int maxBytes;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    /** Bytes of the whole document, as the first part says. */
    private long whole = -1;

    DocumentParts(int maxBytes) {
        this.maxBytes = maxBytes;
    }

    /** Bytes that have come, which is where the next part begins. */
    int length() {
        return out.size();
    }

    boolean isWhole() {
        return out.size() == whole;
    }

    /** @throws SourceException {@code WIRE-TOO-LARGE} where it is not the next part of this document */
    void take(Reply.Part part) throws SourceException {
        int at = out.size();
        if (part.offset() != at
                || part.total() > maxBytes
                || at > 0 && part.total() != whole
                || part.data().length() != Math.min(Reply.PART_BYTES, part.total() - at)) {
            throw new SourceException(Code.WIRE_TOO_LARGE, "the document's parts do not fit");
        }
        whole = part.total();
        out.writeBytes(part.data().toArray());
    }

    /** All that has come. */
    byte[] bytes() {
        return out.toByteArray();
    }
}
