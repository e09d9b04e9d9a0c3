package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.KeyPair;
import java.security.interfaces.ECPublicKey;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The COSE working group's examples, see the README beside them. */
class CoseVectorsTest {
    private static final int MAX_BYTES = 4096;

    private static ECPublicKey workingGroupKey() {
        Base64.Decoder url = Base64.getUrlDecoder();
        return Models.accepted(P256.publicKey(
                Binary.copyOf(url.decode("usWxHK2PmfnHKwXPS54m0kTcGJ90UiglWiGahtagnv8")),
                Binary.copyOf(url.decode("IBOL-C3BttVivg-lSreASjpkttcsz-1rb7btKLv8EX4"))));
    }

    @TestFactory
    Stream<DynamicTest> agreesWithTheWorkingGroupsExamples() throws Exception {
        List<String[]> vectors = Vectors.read("cose-sign1.txt");
        assertThat(vectors).hasSize(10);
        return vectors.stream()
                .map(vector -> DynamicTest.dynamicTest(vector[0], () -> {
                    byte[] message = HexFormat.of().parseHex(vector[4]);
                    Binary external =
                            vector[3].equals("-") ? Binary.empty() : Models.accepted(Binary.fromHex(vector[3]));
                    Verdict<Cose.Sign1> read = vector[2].equals("tagged")
                            ? Cose.decode(message, MAX_BYTES)
                            : Cose.decodeUntagged(message, MAX_BYTES);
                    boolean passes = read instanceof Verdict.Accepted<Cose.Sign1>(Cose.Sign1 sign1)
                            && sign1.verifies(workingGroupKey(), external);
                    assertThat(passes).isEqualTo(vector[1].equals("pass"));
                }));
    }

    @Test
    void anUntaggedMessageIsNoEvidence() throws Exception {
        byte[] untagged = HexFormat.of().parseHex(Vectors.read("cose-sign1.txt").get(2)[4]);
        assertThat(Cose.decode(untagged, MAX_BYTES).isAccepted()).isFalse();
    }

    /** The verifier's fast arithmetic and the JDK's answer alike, to good signatures and to bad ones. */
    @Test
    void bothImplementationsOfEs256Agree() {
        Random random = new Random(7);
        for (int i = 0; i < 60; i++) {
            KeyPair pair = P256.generate();
            ECPublicKey key = (ECPublicKey) pair.getPublic();
            Sha256 digest = Models.hash("message " + i);
            byte[] signature = P256.sign(pair.getPrivate(), digest);
            assertThat(Es256.verify(key, digest, signature)).isTrue();
            signature[random.nextInt(signature.length)] ^= (byte) (1 << random.nextInt(8));
            assertThat(Es256.verify(key, digest, signature)).isEqualTo(P256.verify(key, digest, signature));
            assertThat(Es256.verify(key, digest, signature)).isFalse();
        }
    }

    /** What is kept of a key from one verification to the next changes no answer. */
    @Test
    void aKeyThatCameBeforeIsVerifiedAlike() {
        Random random = new Random(8);
        KeyPair[] pairs = {P256.generate(), P256.generate(), P256.generate()};
        for (int i = 0; i < 90; i++) {
            ECPublicKey key = (ECPublicKey) pairs[i % 3].getPublic();
            ECPublicKey other = (ECPublicKey) pairs[(i + 1) % 3].getPublic();
            Sha256 digest = Models.hash("message " + i);
            byte[] signature = P256.sign(pairs[i % 3].getPrivate(), digest);
            assertThat(Es256.verifyByEnrolled(key, digest, signature)).isTrue();
            assertThat(Es256.verifyByEnrolled(other, digest, signature)).isFalse();
            signature[random.nextInt(signature.length)] ^= (byte) (1 << random.nextInt(8));
            assertThat(Es256.verifyByEnrolled(key, digest, signature)).isFalse();
        }
    }

    @Test
    void numbersOutOfRangeAreNoSignature() {
        ECPublicKey key = (ECPublicKey) P256.generate().getPublic();
        byte[] order = HexFormat.of().parseHex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
        for (byte[] half : List.of(new byte[32], order)) {
            byte[] odd = new byte[64];
            System.arraycopy(half, 0, odd, 0, 32);
            System.arraycopy(half, 0, odd, 32, 32);
            assertThat(Es256.verify(key, Models.hash("m"), odd)).isFalse();
        }
        assertThat(Es256.verify(key, Models.hash("m"), new byte[63])).isFalse();
    }
}
