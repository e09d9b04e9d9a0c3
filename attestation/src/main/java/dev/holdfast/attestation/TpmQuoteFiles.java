package dev.holdfast.attestation;

import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.security.interfaces.ECPublicKey;

/** Writes the quote inside evidence as files for {@code tpm2_checkquote}. */
public final class TpmQuoteFiles {
    private TpmQuoteFiles() {}

    /**
     * Writes {@code quote.msg}, {@code quote.sig}, {@code quote.pcrs}, {@code ak.pem} and {@code qualifying.hex} to
     * {@code dir}.
     */
    public static Verdict<Path> write(Path dir, byte[] evidence, ECPublicKey attestationKey) throws IOException {
        return Verdict.rejected(dev.holdfast.wire.Code.ATT_FORMAT, "not yet");
    }
}
