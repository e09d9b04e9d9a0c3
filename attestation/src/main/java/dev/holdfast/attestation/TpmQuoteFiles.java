package dev.holdfast.attestation;

import dev.holdfast.tee.P256;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.interfaces.ECPublicKey;
import java.util.stream.Collectors;

/**
 * Writes the quote inside evidence as files for {@code tpm2_checkquote}, so that it can be checked with a tool that is
 * not ours:
 *
 * <pre>
 * tpm2_checkquote -u ak.pem -m quote.msg -s quote.sig -f quote.pcrs -F values -l $(cat pcrs.txt) -g sha256 -q $(cat qualifying.hex)
 * </pre>
 */
public final class TpmQuoteFiles {
    private TpmQuoteFiles() {}

    /**
     * Writes {@code quote.msg} (TPMS_ATTEST), {@code quote.sig} (TPMT_SIGNATURE), {@code quote.pcrs} (the registers'
     * values of 32 bytes, in order), {@code pcrs.txt} (which registers these are), {@code ak.pem} and {@code
     * qualifying.hex} (computed from nonce and claims, not copied from the quote) to {@code dir}, which is made where it is
     * absent.
     */
    public static Verdict<Path> write(Path dir, byte[] evidence, ECPublicKey attestationKey) throws IOException {
        return switch (EvidenceVerifier.open(evidence)) {
            case Verdict.Rejected<EvidenceVerifier.Message> rejected -> rejected.as();
            case Verdict.Accepted<EvidenceVerifier.Message>(EvidenceVerifier.Message message) -> {
                Files.createDirectories(dir);
                Files.write(dir.resolve("quote.msg"), message.tpm().attest().toArray());
                Files.write(dir.resolve("quote.sig"), message.tpm().signature().toArray());
                ByteArrayOutputStream values = new ByteArrayOutputStream();
                message.tpm().registers().values().forEach(value -> values.writeBytes(value.toArray()));
                Files.write(dir.resolve("quote.pcrs"), values.toByteArray());
                Files.writeString(
                        dir.resolve("pcrs.txt"),
                        message.tpm().registers().keySet().stream()
                                .map(String::valueOf)
                                .collect(Collectors.joining(",", "sha256:", "\n")));
                Files.writeString(dir.resolve("ak.pem"), P256.toPem(attestationKey));
                Files.writeString(
                        dir.resolve("qualifying.hex"),
                        message.claims().qualifyingData().hex() + "\n");
                yield Verdict.accepted(dir);
            }
        };
    }
}
