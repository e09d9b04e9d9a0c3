package dev.holdfast.attestation;

import dev.holdfast.tee.tpm.TpmKdf;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What an image carries so that its devices are let in without a person: {@code hft1.<id>.<secret>}, 16 and 64 hexadecimal digits. The
 * secret never travels: a device shows an HMAC under it over both messages of its enrolment, so that it is bound to that device's keys
 * and name, and to that challenge. Immutable; {@code toString} shows the id alone.
 *
 * @param id 16 lower-case hexadecimal digits, no secret
 * @param secret 32 random bytes
 */
public record EnrolmentToken(String id, Binary secret) {
    /** Of an id. */
    public static final int ID_CHARS = 16;

    private static final int SECRET_BYTES = 32;
    private static final int MAX_FILE_BYTES = 4096;
    private static final Pattern ID = Pattern.compile("[0-9a-f]{16}");
    private static final Pattern TEXT = Pattern.compile("hft1\\.([0-9a-f]{16})\\.([0-9a-f]{64})");
    private static final byte[] LABEL = "holdfast-enrol-token-1".getBytes(StandardCharsets.US_ASCII);

    private static final Set<PosixFilePermission> LOOSE = EnumSet.of(
            PosixFilePermission.OTHERS_READ, PosixFilePermission.OTHERS_WRITE, PosixFilePermission.GROUP_WRITE);

    public EnrolmentToken {
        if (!ID.matcher(id).matches() || secret.length() != SECRET_BYTES) {
            throw new IllegalArgumentException("not an enrolment token");
        }
    }

    /** A token that nobody has. */
    public static EnrolmentToken fresh() {
        SecureRandom random = new SecureRandom();
        byte[] id = new byte[ID_CHARS / 2];
        byte[] secret = new byte[SECRET_BYTES];
        random.nextBytes(id);
        random.nextBytes(secret);
        return new EnrolmentToken(Binary.copyOf(id).hex(), Binary.copyOf(secret));
    }

    /** Reads a token as {@link #text} writes it, with space around it; {@code CFG-INVALID}, whose detail never holds a part of it. */
    public static Verdict<EnrolmentToken> parse(String text) {
        Matcher parts = TEXT.matcher(text.strip());
        return parts.matches()
                ? Binary.fromHex(parts.group(2))
                        .then(secret -> Verdict.accepted(new EnrolmentToken(parts.group(1), secret)))
                : Verdict.rejected(
                        Code.CFG_INVALID,
                        "no enrolment token: it has the form hft1.ID.SECRET, as fleet devices token writes it");
    }

    /** Reads the file that holds nothing else; {@code CFG-INVALID} where it cannot be read, or others than its owner and group can. */
    public static Verdict<EnrolmentToken> read(Path file) {
        return Verdict.of(() -> {
            try (InputStream in = Files.newInputStream(file)) {
                if (Files.getPosixFilePermissions(file).stream().anyMatch(LOOSE::contains)) {
                    throw new RejectedException(
                            Code.CFG_INVALID,
                            file + ": others than its owner and group can read or change it: chmod o-rwx,g-w");
                }
                byte[] bytes = in.readNBytes(MAX_FILE_BYTES);
                return switch (parse(new String(bytes, StandardCharsets.ISO_8859_1))) {
                    case Verdict.Accepted<EnrolmentToken>(EnrolmentToken token) -> token;
                    case Verdict.Rejected<EnrolmentToken>(var reason) ->
                        throw new RejectedException(Code.CFG_INVALID, file + ": " + reason.detail());
                };
            } catch (IOException e) {
                throw new RejectedException(Code.CFG_INVALID, file + " cannot be read: " + e);
            }
        });
    }

    /** The whole token. Whoever has it may enrol devices: it goes to a file that its owner alone reads. */
    public String text() {
        return "hft1." + id + "." + secret.hex();
    }

    /** What a device sends in the token's place. */
    EnrolmentMessage.TokenClaim claim(Sha256 transcript) {
        return new EnrolmentMessage.TokenClaim(id, mac(transcript));
    }

    /** Whether a claim was made with this token, for the enrolment that the transcript is of. */
    public boolean made(EnrolmentMessage.TokenClaim claim, Sha256 transcript) {
        return claim.token().equals(id)
                && MessageDigest.isEqual(claim.mac().toArray(), mac(transcript).toArray());
    }

    private Binary mac(Sha256 transcript) {
        byte[] message = Sha256.of(LABEL, transcript.toArray()).toArray();
        return Binary.copyOf(TpmKdf.hmac(secret.toArray(), message));
    }

    /** {@code text} where it may be a token's id; {@code ATT-ENROL}. */
    static String requireId(String text) throws RejectedException {
        return Optional.of(text)
                .filter(id -> ID.matcher(id).matches())
                .orElseThrow(() -> EnrolmentMessage.refused("no id of an enrolment token"));
    }

    @Override
    public String toString() {
        return "EnrolmentToken[" + id + "]";
    }
}
