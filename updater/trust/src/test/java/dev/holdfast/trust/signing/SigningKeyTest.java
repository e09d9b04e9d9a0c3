package dev.holdfast.trust.signing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.trust.client.FakeTee;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.trust.schema.TufKey;
import dev.holdfast.wire.Json;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.PrivateKey;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SigningKeyTest {
    @TempDir
    Path dir;

    @ParameterizedTest
    @EnumSource(KeyKind.class)
    void signsAfterASaveAndALoad(KeyKind kind) throws Exception {
        SigningKey key = SigningKey.generate(kind);
        Path pem = dir.resolve("key.pem");
        key.save(pem);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(pem)))
                .isEqualTo("rw-------");
        SigningKey loaded = SigningKey.load(kind, pem);
        assertThat(loaded.keyId()).isEqualTo(key.keyId());
        byte[] file = SignedMetadata.sign(
                TargetsRole.signedPart(1, Instant.parse("2030-01-01T00:00:00Z"), List.of()), List.of(loaded));
        TufKey known = TufKey.fromJson(key.publicKey().toJson()).orElseThrow();
        RootDocument.Role role = new RootDocument.Role(List.of(key.keyId()), Map.of(key.keyId(), known), 1);
        Envelope.parse(file, "targets", 100_000)
                .requireThreshold(
                        role, FamilyPolicy.NONE, new FakeTee().anchors().verifier());
        assertThatThrownBy(() -> key.save(pem)).isInstanceOf(FileAlreadyExistsException.class);
    }

    @Test
    void aKeyOfAnUnknownSchemeVerifiesNothing() throws Exception {
        var json = SigningKey.generate(KeyKind.ML_DSA_65).publicKey().toJson().put("scheme", "ml-dsa-65/2");
        assertThat(TufKey.fromJson(json)).isEmpty();
        assertThat(Json.write(json)).isNotEmpty();
    }

    @Test
    void showsNoSecret() {
        SigningKey key = SigningKey.generate(KeyKind.ED25519);
        assertThat(key).hasToString("ED25519 " + key.keyId());
        assertThat(new RoleSigner(List.of(key), 1))
                .as("nor does whoever holds it")
                .hasToString("RoleSigner[keys=[ED25519 " + key.keyId() + "], threshold=1]");
    }

    /** Documents take what {@link RoleSigner#role} gives: nothing in it leads back to a private key. */
    @Test
    void thePublicHalfHoldsNoSecret() {
        SigningKey key = SigningKey.generate(KeyKind.ECDSA_P256);
        assertThat(key.publicKey().key()).isNotInstanceOf(PrivateKey.class);
        assertThat(key.publicKey().toJson().path("keyval").properties()).hasSize(1);
        assertThat(new RoleSigner(List.of(key), 1).role().keys()).containsOnly(Map.entry(key.keyId(), key.publicKey()));
    }
}
