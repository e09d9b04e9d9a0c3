package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.crypto.tink.RegistryConfiguration;
import com.google.crypto.tink.jwt.JwkSetConverter;
import com.google.crypto.tink.jwt.JwtPublicKeyVerify;
import com.google.crypto.tink.jwt.JwtSignatureConfig;
import com.google.crypto.tink.jwt.JwtValidator;
import com.google.crypto.tink.jwt.VerifiedJwt;
import dev.holdfast.attestation.Cose;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.VerifierId;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.interfaces.ECPublicKey;
import java.time.Clock;
import java.time.Instant;
import java.util.Base64;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Results are signed by a key of the verifier's own, and other people's libraries check them. */
class VerifierKeyTest extends VerifyFixture {
    private static final Instant AT = Instant.parse("2026-06-01T00:00:00Z");

    private byte[] evidence = {};
    private Binary nonce = Binary.empty();

    @BeforeEach
    void makeEvidence() throws Exception {
        evidence = Files.readAllBytes(evidence(publish("chat", "2.0.0", Json.object(), Optional.of(5L))));
        nonce = Binary.fromHex(NONCE).orThrow();
    }

    private AttestationResult result(AppraisalPolicy policy) throws Exception {
        Appraisal appraisal = EvidenceVerifier.verify(
                evidence,
                new EvidenceVerifier.Question(nonce, Optional.empty()),
                new DeviceRecords(directory).read("cam-7"),
                repository.references(),
                policy);
        return new AttestationResult(appraisal, "cam-7", nonce, Sha256.of(evidence), AT);
    }

    @Test
    void anotherLibraryAcceptsTheTokenByThePublishedKey() throws Exception {
        JwtSignatureConfig.register();
        AppraisalPolicy policy = AppraisalPolicy.atLeast(Assurance.SOFTWARE);
        VerifierKey key = VerifierKey.open(directory);
        String token = key.jwt(result(policy));
        JwtPublicKeyVerify verifier = verifier(key.publicHalf());
        JwtValidator validator = JwtValidator.newBuilder()
                .expectTypeHeader("eat+jwt")
                .allowMissingExpiration()
                .build();
        VerifiedJwt verified = verifier.verifyAndDecode(token, validator);
        assertThat(verified.getIssuedAt()).isEqualTo(AT);
        assertThat(verified.getStringClaim("eat_profile")).isEqualTo(AttestationResult.PROFILE);
        assertThat(verified.getStringClaim("ear_status")).isEqualTo("affirming");
        JsonNode submodule = json(verified.getJsonObjectClaim("submods")).path("holdfast");
        assertThat(submodule.path("ear_status").asText()).isEqualTo("affirming");
        assertThat(submodule.at("/ear_trustworthiness_vector/hardware").asInt(-9))
                .isZero();
        assertThat(submodule.path("eat_nonce").asText())
                .isEqualTo(Base64.getUrlEncoder().withoutPadding().encodeToString(nonce.toArray()));
        JsonNode own = submodule.path("holdfast");
        assertThat(own.path("device").asText()).isEqualTo("cam-7");
        assertThat(own.path("evidence").asText()).isEqualTo(Sha256.of(evidence).hex());
        assertThat(own.path("policy").asText()).isEqualTo(policy.digest().hex());
        assertThat(own.path("assurance").asText()).isEqualTo("software");
        assertThat(own.path("leastAssurance").asText()).isEqualTo("software");
        assertThat(own.at("/claims/model/version").asText()).isEqualTo("2.0.0");

        char[] changed = token.toCharArray();
        int at = token.indexOf('.') + 30;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        assertThat(refuses(verifier, new String(changed), validator)).isTrue();
        FleetDirectory other = new FleetDirectory(dir.resolve("other"));
        new FleetRepository(other, Clock.systemUTC()).init(new FleetDirectory.Config("other", "tcp://127.0.0.1:1"));
        assertThat(refuses(verifier, VerifierKey.open(other).jwt(result(policy)), validator))
                .isTrue();
    }

    private static JwtPublicKeyVerify verifier(VerifierId id) throws Exception {
        String jwks = "{\"keys\":[" + new String(Json.write(id.jwk()), StandardCharsets.UTF_8) + "]}";
        return JwkSetConverter.toPublicKeysetHandle(jwks)
                .getPrimitive(RegistryConfiguration.get(), JwtPublicKeyVerify.class);
    }

    private static boolean refuses(JwtPublicKeyVerify verifier, String token, JwtValidator validator) {
        try {
            verifier.verifyAndDecode(token, validator);
            return false;
        } catch (GeneralSecurityException e) {
            return true;
        }
    }

    private static JsonNode json(String text) throws Exception {
        return Json.readObject(text.getBytes(StandardCharsets.UTF_8), 1 << 20).orThrow();
    }

    @Test
    void theSameClaimsAreSignedInCbor() throws Exception {
        VerifierKey key = VerifierKey.open(directory);
        byte[] token = key.cwt(result(AppraisalPolicy.atLeast(Assurance.FIRMWARE)));
        Cose.Sign1 message = Cose.decode(token, 1 << 20).orThrow();
        var publicKey = (ECPublicKey) key.publicHalf().keys().get(0).key();
        assertThat(message.verifies(publicKey, Binary.empty())).isTrue();
        assertThat(Cose.profile(message)).isEqualTo(P256.thumbprint(publicKey).value());
        Cbor.Dict claims = (Cbor.Dict)
                CborReader.read(message.payload().toArray(), 1 << 20).orThrow();
        assertThat(claims.get(265)).contains(Cbor.of(AttestationResult.PROFILE));
        assertThat(claims.get(6)).contains(Cbor.of(AT.getEpochSecond()));
        assertThat(claims.get(1000)).as("contraindicated").contains(Cbor.of(96));
        Cbor.Dict submodule = (Cbor.Dict)
                ((Cbor.Dict) claims.get(266).orElseThrow()).get("holdfast").orElseThrow();
        assertThat(submodule.get(10)).contains(Cbor.of(nonce));
        Cbor.Dict vector = (Cbor.Dict) submodule.get(1001).orElseThrow();
        assertThat(vector.get(4)).as("hardware: it should be recognized").contains(Cbor.of(97));
        assertThat(vector.get(2)).as("executables: by the agent's word").contains(Cbor.of(-2));
    }

    @Test
    void aFailureIsInTheSignedResultWithItsReason() throws Exception {
        JsonNode own =
                result(AppraisalPolicy.atLeast(Assurance.FIRMWARE)).toJson().at("/submods/holdfast/holdfast/failed");
        assertThat(own).hasSize(1);
        assertThat(own.path(0).path("code").asText()).isEqualTo("ATT-ASSURANCE");
        assertThat(own.path(0).path("detail").asText()).contains("expected at least firmware");
    }

    @Test
    void initMakesTheKeyApartFromThoseThatDevicesBelieve() throws Exception {
        Path folder = directory.verifier();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)))
                .isEqualTo("rwx------");
        try (var files = Files.list(folder)) {
            assertThat(files.map(file -> String.valueOf(file.getFileName())))
                    .containsExactlyInAnyOrder("verifier-ecdsa-p256.pem", "verifier-ml-dsa-65.pem");
        }
        try (var files = Files.list(directory.keys())) {
            assertThat(files.map(file -> String.valueOf(file.getFileName())))
                    .noneMatch(name -> name.startsWith("verifier"));
        }
        String root = Files.readString(directory.root().resolve("metadata/1.root.json"));
        assertThat(root)
                .as("no device accepts anything by it")
                .doesNotContain(
                        VerifierKey.open(directory).publicHalf().keys().get(0).keyId());
    }

    @Test
    void anOlderFleetGetsItsKeyWithTheFirstNeedAndKeepsIt() throws Exception {
        for (Path file : Files.list(directory.verifier()).toList()) {
            Files.delete(file);
        }
        assertThat(VerifierKey.find(directory)).isEmpty();
        Sha256 made = VerifierKey.open(directory).publicHalf().id();
        assertThat(VerifierKey.open(directory).publicHalf().id()).isEqualTo(made);
        FleetDirectory nowhere = new FleetDirectory(dir.resolve("nowhere"));
        assertThat(VerifierKey.find(nowhere)).isEmpty();
        try {
            VerifierKey.open(nowhere);
            throw new AssertionError("no fleet, no key");
        } catch (RejectedException e) {
            assertThat(e.rejection().code()).isEqualTo(Code.FLT_ABSENT);
        }
        assertThat(Files.exists(nowhere.root())).isFalse();
    }
}
