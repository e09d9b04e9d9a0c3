package dev.holdfast.attestation;

import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.interfaces.ECPublicKey;
import java.util.SortedMap;
import java.util.stream.Collectors;

/**
 * Writes the quote inside evidence as files for {@code tpm2_checkquote}, so that it can be checked with a tool that is
 * not ours:
 *
 * <pre>
 * tpm2_checkquote -u ak.pem -m quote.msg -s quote.sig -f quote.pcrs -F values -l $(cat pcrs.txt) -g sha256 -q $(cat qualifying.hex)
 * </pre>
 *
 * That shows how the tool is called. A verifier takes neither the key nor the qualifying data from the device: docs/verifying.md.
 *
 * <p>Where the machine's own registers are quoted too there are more than eight, and {@code -F} and {@code -l} go.
 */
public final class TpmQuoteFiles {
    private static final int ALG_SHA256 = 0x000b;
    /** TPML_DIGEST holds eight, and more registers than that the tool reads in its serialized form only. */
    private static final int DIGESTS_IN_LIST = 8;

    private static final int DIGEST_BYTES = Short.BYTES + 64;
    private static final int LIST_BYTES = Integer.BYTES + DIGESTS_IN_LIST * DIGEST_BYTES;
    private static final int SELECTION_BYTES = Integer.BYTES + 16 * 8;

    private TpmQuoteFiles() {}

    /**
     * Writes {@code quote.msg} (TPMS_ATTEST), {@code quote.sig} (TPMT_SIGNATURE), {@code quote.pcrs} (the registers'
     * values of 32 bytes, in order; more than eight in the serialized form of tpm2-tools), {@code pcrs.txt} (which registers these are), {@code ak.pem} and {@code
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
                Files.write(dir.resolve("quote.pcrs"), values(message.tpm().registers()));
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

    private static byte[] values(SortedMap<Integer, Binary> registers) {
        if (registers.size() > DIGESTS_IN_LIST) {
            return serialized(registers);
        }
        ByteArrayOutputStream values = new ByteArrayOutputStream();
        registers.values().forEach(value -> values.writeBytes(value.toArray()));
        return values.toByteArray();
    }

    /**
     * The serialized form of tpm2-tools: TPML_PCR_SELECTION, a count, and that many TPML_DIGEST, all as C structures in
     * little-endian order with every unused place.
     */
    private static byte[] serialized(SortedMap<Integer, Binary> registers) {
        int lists = (registers.size() + DIGESTS_IN_LIST - 1) / DIGESTS_IN_LIST;
        ByteBuffer out = ByteBuffer.allocate(SELECTION_BYTES + Integer.BYTES + lists * LIST_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN);
        int mask = 0;
        for (int pcr : registers.keySet()) {
            mask |= 1 << pcr;
        }
        out.putInt(1).putShort((short) ALG_SHA256).put((byte) 3).putInt(mask);
        out.putInt(SELECTION_BYTES, lists);
        int number = 0;
        for (Binary value : registers.values()) {
            int list = SELECTION_BYTES + Integer.BYTES + number / DIGESTS_IN_LIST * LIST_BYTES;
            int place = number % DIGESTS_IN_LIST;
            out.putInt(list, place + 1);
            int at = list + Integer.BYTES + place * DIGEST_BYTES;
            out.putShort(at, (short) value.length());
            out.put(at + Short.BYTES, value.toArray());
            number++;
        }
        return out.array();
    }
}
