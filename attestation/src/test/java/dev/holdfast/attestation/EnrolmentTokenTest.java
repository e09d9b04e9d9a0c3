package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EnrolmentTokenTest {
    @TempDir
    Path dir;

    private static String refusal(Verdict<EnrolmentToken> verdict) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        refused -> assertThat(refused.reason().code()).isEqualTo(Code.CFG_INVALID));
        return ((Verdict.Rejected<EnrolmentToken>) verdict).reason().toString();
    }

    @Test
    void itsTextIsReadAgainAndNothingElseShowsTheSecret() {
        EnrolmentToken token = EnrolmentToken.fresh();
        assertThat(Models.accepted(EnrolmentToken.parse(" " + token.text() + "\r\n")))
                .isEqualTo(token);
        assertThat(token.toString())
                .contains(token.id())
                .doesNotContain(token.secret().hex());
        assertThat(EnrolmentToken.fresh()).isNotEqualTo(token);
        String wrong = token.text().substring(1);
        assertThat(refusal(EnrolmentToken.parse(wrong)))
                .doesNotContain(token.secret().hex());
    }

    @Test
    void aFileThatOthersReadIsNotUsed() throws Exception {
        EnrolmentToken token = EnrolmentToken.fresh();
        Path file = Files.writeString(dir.resolve("enrolment.token"), token.text());
        for (String mode : new String[] {"rw-r--r--", "rw-rw----", "rw----r--"}) {
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
            assertThat(refusal(EnrolmentToken.read(file))).contains("chmod");
        }
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
        assertThat(Models.accepted(EnrolmentToken.read(file))).isEqualTo(token);
        assertThat(refusal(EnrolmentToken.read(dir.resolve("none")))).contains("none");
        Files.write(file, new byte[100_000]);
        assertThat(refusal(EnrolmentToken.read(file))).contains("hft1");
    }

    @Test
    void aClaimIsForOneTranscriptAndOneToken() {
        EnrolmentToken token = EnrolmentToken.fresh();
        Sha256 transcript = Sha256.of(new byte[] {1});
        EnrolmentMessage.TokenClaim claim = token.claim(transcript);
        assertThat(token.made(claim, transcript)).isTrue();
        assertThat(token.made(claim, Sha256.of(new byte[] {2}))).isFalse();
        assertThat(EnrolmentToken.fresh().made(claim, transcript)).isFalse();
        EnrolmentToken sameId =
                new EnrolmentToken(token.id(), EnrolmentToken.fresh().secret());
        assertThat(sameId.made(claim, transcript)).isFalse();
    }

    @Test
    void someMutatedTokensNeverThrow() {
        Random random = new Random(23);
        byte[] good = EnrolmentToken.fresh().text().getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
        for (int i = 0; i < 5000; i++) {
            byte[] bad = java.util.Arrays.copyOf(good, random.nextInt(good.length + 5));
            if (bad.length > 0) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            }
            assertThat(EnrolmentToken.parse(new String(bad, java.nio.charset.StandardCharsets.ISO_8859_1)))
                    .isNotNull();
        }
    }
}
