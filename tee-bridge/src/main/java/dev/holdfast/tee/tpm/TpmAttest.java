package dev.holdfast.tee.tpm;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.SortedMap;

/**
 * TPMS_ATTEST (TPM 2.0 Library Part 2, 10.12.8): what an attestation key signed.
 *
 * <pre>
 * magic u32 = ff544347 | type u16 | qualifiedSigner 2B | extraData 2B
 * clock u64 | resetCount u32 | restartCount u32 | safe u8 | firmwareVersion u64 | attested
 * </pre>
 *
 * @param qualifiedSigner the signer's qualified name
 * @param extraData the challenge that the caller gave
 * @param clockMillis milliseconds that the TPM was powered; monotone within one {@code resetCount}
 * @param resetCount how often the TPM was reset, modulo 2^32
 * @param restartCount how often it was restarted or resumed since
 * @param clockSafe whether no larger clock value can have been seen before
 * @param body what is attested
 */
public record TpmAttest(
        Binary qualifiedSigner,
        Binary extraData,
        long clockMillis,
        long resetCount,
        long restartCount,
        boolean clockSafe,
        long firmwareVersion,
        Body body) {
    /** A name is a two-byte algorithm and at most 64 bytes of digest. */
    private static final int MAX_NAME_BYTES = 66;

    private static final int MAX_DATA_BYTES = 64;
    private static final int MAX_SELECTIONS = 16;

    /** What the attestation is about. */
    public sealed interface Body {}

    /** TPMS_QUOTE_INFO: the selected registers, and the hash of the concatenation of their values. */
    public record Quoted(List<Selection> selections, Binary pcrDigest) implements Body {
        public Quoted {
            selections = List.copyOf(selections);
        }

        /** Whether the quote is over exactly these SHA-256 registers with these values, and nothing else. */
        public boolean covers(SortedMap<Integer, Binary> registers) {
            MessageDigest concatenation = Sha256.newDigest();
            registers.values().forEach(value -> concatenation.update(value.toArray()));
            return selections.equals(List.of(Selection.sha256(registers.keySet())))
                    && pcrDigest.equals(Sha256.finish(concatenation).value());
        }
    }

    /** TPMS_CERTIFY_INFO: the object whose residence in the TPM is certified. */
    public record Certified(Binary name, Binary qualifiedName) implements Body {}

    /** TPMS_NV_CERTIFY_INFO: the name of an NV index, and what it holds from {@code offset} on. */
    public record NvCertified(Binary name, int offset, Binary contents) implements Body {}

    /** One bank's registers as a bit set: bit n for PCR n. */
    public record Selection(int algorithm, long mask) {
        public static Selection sha256(Collection<Integer> pcrs) {
            long mask = 0;
            for (int pcr : pcrs) {
                mask |= 1L << pcr;
            }
            return new Selection(Tpm.ALG_SHA256, mask);
        }
    }

    /** Parses strictly: magic, known type, no bytes left over. */
    public static Verdict<TpmAttest> parse(Binary attest) {
        return Verdict.of(() -> {
            TpmReader reader = new TpmReader(attest.toArray());
            if (reader.u32() != Tpm.GENERATED) {
                throw reader.malformed("magic is not ff544347: not made by a TPM");
            }
            int type = reader.u16();
            Binary signer = reader.sized(MAX_NAME_BYTES);
            Binary extra = reader.sized(MAX_DATA_BYTES);
            long clock = reader.u64();
            long resets = reader.u32();
            long restarts = reader.u32();
            int safe = reader.u8();
            if (clock < 0 || safe > 1) {
                throw reader.malformed("clock info out of range");
            }
            long firmware = reader.u64();
            Body body = switch (type) {
                case Tpm.ST_ATTEST_QUOTE -> quoted(reader);
                case Tpm.ST_ATTEST_CERTIFY -> new Certified(reader.sized(MAX_NAME_BYTES), reader.sized(MAX_NAME_BYTES));
                case Tpm.ST_ATTEST_NV ->
                    new NvCertified(reader.sized(MAX_NAME_BYTES), reader.u16(), reader.sized(MAX_DATA_BYTES));
                default -> throw reader.malformed("attestation type 0x" + Integer.toHexString(type));
            };
            reader.end();
            return new TpmAttest(signer, extra, clock, resets, restarts, safe == 1, firmware, body);
        });
    }

    /** The structure's bytes, as {@link #parse} reads them. */
    public Binary encode() {
        TpmWriter writer = new TpmWriter()
                .u32(Tpm.GENERATED)
                .u16(
                        switch (body) {
                            case Quoted quoted -> Tpm.ST_ATTEST_QUOTE;
                            case Certified certified -> Tpm.ST_ATTEST_CERTIFY;
                            case NvCertified certified -> Tpm.ST_ATTEST_NV;
                        })
                .sized(qualifiedSigner)
                .sized(extraData)
                .u64(clockMillis)
                .u32(resetCount)
                .u32(restartCount)
                .u8(clockSafe ? 1 : 0)
                .u64(firmwareVersion);
        switch (body) {
            case Quoted(List<Selection> selections, Binary digest) -> {
                writer.u32(selections.size());
                for (Selection selection : selections) {
                    select(writer, selection);
                }
                writer.sized(digest);
            }
            case Certified(Binary name, Binary qualifiedName) ->
                writer.sized(name).sized(qualifiedName);
            case NvCertified(Binary name, int offset, Binary contents) ->
                writer.sized(name).u16(offset).sized(contents);
        }
        return writer.toBinary();
    }

    /** TPMS_PCR_SELECTION with the usual three bytes of bit map. */
    static TpmWriter select(TpmWriter writer, Selection selection) {
        writer.u16(selection.algorithm()).u8(3);
        for (int shift = 0; shift < 24; shift += 8) {
            writer.u8((int) (selection.mask() >>> shift));
        }
        return writer;
    }

    static List<Selection> selections(TpmReader reader) throws RejectedException {
        long count = reader.u32();
        if (count > MAX_SELECTIONS) {
            throw reader.malformed(count + " PCR selections");
        }
        List<Selection> selections = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int algorithm = reader.u16();
            int size = reader.u8();
            if (size > 4) {
                throw reader.malformed("PCR bit map of " + size + " bytes");
            }
            long mask = 0;
            for (int octet = 0; octet < size; octet++) {
                mask |= (long) reader.u8() << (8 * octet);
            }
            selections.add(new Selection(algorithm, mask));
        }
        return selections;
    }

    private static Quoted quoted(TpmReader reader) throws RejectedException {
        return new Quoted(selections(reader), reader.sized(MAX_DATA_BYTES));
    }
}
