package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.security.KeyPair;
import java.security.interfaces.ECPublicKey;
import java.util.HexFormat;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The examples of RFC 9711, see the README beside them. */
class EatVectorsTest {
    private static final int TAG_CWT = 61;
    private static final int MAX_BYTES = 4096;
    /** Claims of RFC 9711 and RFC 8392 that the examples have. */
    private static final Set<Long> CLAIMS =
            Set.of(1L, 6L, 10L, 256L, 258L, 259L, 260L, 262L, 263L, 266L, 270L, 271L, 272L);

    @Test
    void readsEveryClaimsSetAndWritesItBackAsItWas() throws Exception {
        int read = 0;
        for (String[] vector : Vectors.read("eat-examples.txt")) {
            if (vector[0].equals("token")) {
                continue;
            }
            byte[] bytes = HexFormat.of().parseHex(vector[1]);
            Cbor item = Models.accepted(CborReader.read(bytes, MAX_BYTES));
            assertThat(CborWriter.write(item)).as(vector[0]).isEqualTo(bytes);
            Cbor.Dict claims = Claim.dict(item);
            assertThat(claims.entries().keySet())
                    .allSatisfy(key -> assertThat(key)
                            .isInstanceOfSatisfying(
                                    Cbor.Int.class, number -> assertThat(CLAIMS).contains(number.value())));
            assertThat(new Claim(claims).bytes(10L, 8, 64).length()).isBetween(8, 64);
            read++;
        }
        assertThat(read).isEqualTo(5);
    }

    /** Well signed, by an enrolled key, and yet no evidence: it is of another profile. */
    @Test
    void refusesTheExamplesAsEvidence() throws Exception {
        KeyPair pair = P256.generate();
        ECPublicKey key = (ECPublicKey) pair.getPublic();
        EnrolledDevice device = EnrolledDevice.fresh("d", key, key, Models.hash("ek"), Assurance.HARDWARE);
        for (String[] vector : Vectors.read("eat-examples.txt")) {
            Binary payload = Models.accepted(Binary.fromHex(vector[1]));
            Binary header = Cose.protectedHeader(P256.thumbprint(key));
            byte[] evidence =
                    Cose.encode(header, payload, P256.sign(pair.getPrivate(), Cose.toBeSigned(header, payload)));
            Appraisal appraisal = EvidenceVerifier.verify(
                    evidence, Models.question(), device, Models.PUBLISHED, AppraisalPolicy.atLeast(Assurance.SOFTWARE));
            assertThat(appraisal.status()).isEqualTo(Appraisal.Status.CONTRAINDICATED);
            assertThat(appraisal.firstFailure().orElseThrow().code()).contains(Code.ATT_FORMAT);
        }
    }

    @Test
    void takesTheSignedTokenApartDownToItsClaims() throws Exception {
        String[] token = Vectors.read("eat-examples.txt").getLast();
        assertThat(token[0]).isEqualTo("token");
        Cbor outer = Models.accepted(CborReader.read(HexFormat.of().parseHex(token[1]), MAX_BYTES));
        assertThat(outer).isInstanceOf(Cbor.Tag.class);
        Cbor.Tag cwt = (Cbor.Tag) outer;
        assertThat(cwt.number()).isEqualTo(TAG_CWT);
        Cose.Sign1 sign1 = Models.accepted(Cose.decode(CborWriter.write(cwt.content()), MAX_BYTES));
        assertThat(sign1.protectedHeader().hex()).isEqualTo("a10126");
        // The RFC prints its claims in no particular order, so they are no deterministic CBOR.
        assertThat(CborReader.read(sign1.payload().toArray(), MAX_BYTES))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        refused -> assertThat(refused.reason().code()).isEqualTo(Code.WIRE_CBOR));
    }
}
