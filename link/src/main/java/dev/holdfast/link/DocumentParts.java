package dev.holdfast.link;

import java.io.ByteArrayOutputStream;

/**
 * A document that comes in full parts, one after the other. Whoever sends it byte by byte, or makes it longer and longer, is not listened
 * to. Not thread-safe.
 */
public final class DocumentParts {
    private final int maxBytes;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    /** Bytes of the whole document, as the first part says. */
    private long whole = -1;

    /** @param maxBytes of the whole document */
    public DocumentParts(int maxBytes) {
        this.maxBytes = maxBytes;
    }

    /** Bytes that have come, which is where the next part begins. */
    public int length() {
        return out.size();
    }

    public boolean isWhole() {
        return out.size() == whole;
    }

    /**
     * Adds a part.
     *
     * @return false where it is not the next one of this document, which then stays as it was
     */
    public boolean take(Reply.Part part) {
        int at = out.size();
        if (part.offset() != at
                || part.total() > maxBytes
                || at > 0 && part.total() != whole
                || part.data().length() != Math.min(Reply.PART_BYTES, part.total() - at)) {
            return false;
        }
        whole = part.total();
        out.writeBytes(part.data().toArray());
        return true;
    }

    /** All that has come. */
    public byte[] bytes() {
        return out.toByteArray();
    }
}
