package dev.holdfast.trust.release;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelSignatureTest {
    private final OmsSigner signer = new OmsSigner();
    private final Sha256 model = Sha256.of(new byte[] {1, 2, 3});

    private static byte[] vector(String name) throws IOException {
        try (var in = ModelSignatureTest.class.getResourceAsStream("oms/" + name)) {
            assertThat(in).as(name).isNotNull();
            return in.readAllBytes();
        }
    }

    private static SignerKey key(String name) throws Exception {
        return SignerKey.fromPem(new String(vector(name), StandardCharsets.US_ASCII))
                .orThrow();
    }

    private static void assertRefused(Verdict<?> verdict, Code code) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code())
                                .as(r.reason().toString())
                                .isEqualTo(code));
    }

    @ParameterizedTest
    @ValueSource(strings = {"p256", "p384", "p521"})
    void acceptsWhatOpensslSigned(String curve) throws Exception {
        Sha256 digest = Sha256.of(vector("model.bin"));
        SignerKey pinned = key(curve + ".pem");
        assertThat(ModelSignature.verify(vector(curve + ".json"), pinned, digest)
                        .orThrow()
                        .subject())
                .isEqualTo("model.bin");
        assertThat(pinned.toPem().getBytes(StandardCharsets.US_ASCII)).isEqualTo(vector(curve + ".pem"));
        assertRefused(ModelSignature.verify(vector(curve + ".json"), pinned, model), Code.OMS_SUBJECT);
    }

    @Test
    void noOtherKeyCounts() throws Exception {
        Sha256 digest = Sha256.of(vector("model.bin"));
        assertRefused(ModelSignature.verify(vector("p256.json"), key("p384.pem"), digest), Code.OMS_KEY);
        // Even where the bundle names the pinned key.
        OmsSigner other = new OmsSigner();
        byte[] forged = other.bundle(
                other.statement(model),
                bundle -> ((ObjectNode) bundle.at("/verificationMaterial/publicKey"))
                        .put("hint", signer.key().hint()));
        assertRefused(ModelSignature.verify(forged, signer.key(), model), Code.OMS_SIGNATURE);
    }

    @Test
    void takesTheFormsThatTheSpecificationLeavesOpen() throws Exception {
        byte[] pem = signer.key().toPem().getBytes(StandardCharsets.US_ASCII);
        for (Consumer<ObjectNode> change : Arrays.<Consumer<ObjectNode>>asList(
                bundle -> {},
                bundle -> ((ObjectNode) bundle.at("/dsseEnvelope/signatures/0")).remove("keyid"),
                bundle -> ((ObjectNode) bundle.at("/dsseEnvelope/signatures/0")).putNull("keyid"),
                bundle -> ((ObjectNode) bundle.at("/verificationMaterial")).remove("tlogEntries"),
                bundle -> bundle.put("mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.2"),
                // Bundles before v1.1.0 carry the key.
                bundle -> ((ObjectNode) bundle.at("/verificationMaterial"))
                        .putObject("publicKey")
                        .put("rawBytes", Base64.getEncoder().encodeToString(pem))
                        .put("keyDetails", "PKIX_ECDSA_P256_SHA_256"))) {
            ModelSignature.verify(signer.bundle(signer.statement(model), change), signer.key(), model)
                    .orThrow();
        }
    }

    @Test
    void refusesBundlesOfAnotherForm() {
        refuse(bundle -> bundle.put("mediaType", "application/json"));
        refuse(bundle -> bundle.put("more", 1));
        refuse(bundle -> bundle.remove("dsseEnvelope"));
        refuse(bundle -> bundle.remove("verificationMaterial"));
        refuse(bundle -> ((ObjectNode) bundle.at("/verificationMaterial")).putObject("certificate"));
        refuse(bundle -> ((ObjectNode) bundle.at("/verificationMaterial")).putObject("x509CertificateChain"));
        refuse(bundle -> ((ObjectNode) bundle.at("/verificationMaterial")).remove("publicKey"));
        refuse(bundle -> ((ObjectNode) bundle.at("/verificationMaterial"))
                .putObject("publicKey")
                .put("rawBytes", "%"));
        refuse(bundle -> ((ObjectNode) bundle.at("/dsseEnvelope")).put("payloadType", "text/plain"));
        refuse(bundle -> ((ObjectNode) bundle.at("/dsseEnvelope")).put("payload", "!"));
        refuse(bundle -> ((ObjectNode) bundle.at("/dsseEnvelope")).put("more", 1));
        refuse(bundle -> ((ArrayNode) bundle.at("/dsseEnvelope/signatures")).removeAll());
        refuse(bundle -> {
            ArrayNode signatures = (ArrayNode) bundle.at("/dsseEnvelope/signatures");
            signatures.add(signatures.get(0).deepCopy());
        });
        assertRefused(ModelSignature.verify(new byte[0], signer.key(), model), Code.OMS_FORMAT);
        assertRefused(
                ModelSignature.verify(new byte[ModelSignature.MAX_BYTES + 1], signer.key(), model), Code.OMS_FORMAT);
    }

    private void refuse(Consumer<ObjectNode> change) {
        byte[] bundle = signer.bundle(signer.statement(model), change);
        assertRefused(ModelSignature.verify(bundle, signer.key(), model), Code.OMS_FORMAT);
    }

    @Test
    void refusesSignedStatementsAboutSomethingElse() {
        stated(Code.OMS_FORMAT, s -> s.put("_type", "https://in-toto.io/Statement/v0.1"));
        stated(Code.OMS_FORMAT, s -> s.put("predicateType", "https://slsa.dev/provenance/v1"));
        stated(Code.OMS_FORMAT, s -> s.put("predicateType", "https://model_signing/Digests/v0.1"));
        stated(Code.OMS_FORMAT, s -> s.remove("predicate"));
        stated(Code.OMS_FORMAT, s -> s.put("more", 1));
        stated(
                Code.OMS_FORMAT,
                s -> ((ObjectNode) s.at("/predicate/serialization"))
                        .put("method", "shards")
                        .put("shard_size", 1000));
        stated(Code.OMS_FORMAT, s -> ((ObjectNode) s.at("/predicate/serialization")).put("hash_type", "blake3"));
        stated(
                Code.OMS_FORMAT,
                s -> ((ArrayNode) s.at("/predicate/resources"))
                        .addObject()
                        .put("name", "z")
                        .put("algorithm", "sha256")
                        .put("digest", model.hex()));
        stated(Code.OMS_FORMAT, s -> ((ArrayNode) s.at("/predicate/resources")).removeAll());
        Sha256 other = Sha256.of(new byte[1]);
        stated(Code.OMS_SUBJECT, s -> ((ObjectNode) s.at("/predicate/resources/0")).put("digest", other.hex()));
        stated(Code.OMS_SUBJECT, s -> ((ObjectNode) s.at("/predicate/resources/0")).put("algorithm", "blake2b"));
        stated(Code.OMS_SUBJECT, s -> ((ObjectNode) s.at("/subject/0/digest")).put("sha256", other.hex()));
    }

    private void stated(Code code, Consumer<ObjectNode> change) {
        ObjectNode statement = signer.statement(model);
        change.accept(statement);
        assertRefused(ModelSignature.verify(signer.bundle(statement, bundle -> {}), signer.key(), model), code);
    }

    @Test
    void oneChangedByteOfTheStatementIsEnough() {
        byte[] payload = Json.write(signer.statement(model));
        payload[payload.length / 2] ^= 1;
        byte[] bundle = signer.bundle(
                signer.statement(model),
                b -> ((ObjectNode) b.at("/dsseEnvelope"))
                        .put("payload", Base64.getEncoder().encodeToString(payload)));
        assertRefused(ModelSignature.verify(bundle, signer.key(), model), Code.OMS_SIGNATURE);
    }

    @Test
    void refusesKeysThatOmsDoesNotKnow() {
        for (String pem : new String[] {
            "",
            "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
            signer.key().toPem() + "x",
            "x" + signer.key().toPem()
        }) {
            assertRefused(SignerKey.fromPem(pem), Code.OMS_KEY);
        }
        // Ed25519 is on no list of OMS.
        String ed25519 = "-----BEGIN PUBLIC KEY-----\n"
                + Base64.getEncoder()
                        .encodeToString(SigningKey.generate(KeyKind.ED25519)
                                .publicKey()
                                .key()
                                .getEncoded())
                + "\n-----END PUBLIC KEY-----\n";
        assertRefused(SignerKey.fromPem(ed25519), Code.OMS_KEY);
    }
}
