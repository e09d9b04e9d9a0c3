package dev.holdfast.trust.schema;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Each role's document is read as it was written. */
class RoleRoundTripTest {
    private static final Instant EXPIRES = Instant.parse("2027-01-02T03:04:05Z");
    private static final RoleSigner OFFLINE = RepositorySimulator.OFFLINE;
    private static final RoleSigner ONLINE = RepositorySimulator.SNAPSHOT;
    private static final RootDocument.Roles ROLES = new RoleSigners(
                    OFFLINE, OFFLINE, ONLINE, RepositorySimulator.TIMESTAMP, RepositorySimulator.DIRECTOR)
            .roles();

    private static RootDocument root(ObjectNode signed) throws Exception {
        return RootDocument.parse(OFFLINE.sign(signed));
    }

    @Test
    void aRootIsReadAsItWasWritten() throws Exception {
        RootDocument read = root(RootDocument.signedPart(4, EXPIRES, ROLES));
        assertThat(read.version()).isEqualTo(4);
        assertThat(read.envelope().expires()).isEqualTo(EXPIRES);
        assertThat(read.consistentSnapshot()).isTrue();
        assertThat(read.roles())
                .isEqualTo(Map.of(
                        "root",
                        ROLES.root(),
                        "targets",
                        ROLES.targets(),
                        "snapshot",
                        ROLES.snapshot(),
                        "timestamp",
                        ROLES.timestamp(),
                        RootDocument.DIRECTOR,
                        ROLES.director()));
    }

    @Test
    void aSuccessorKeepsWhatItWasNotTold() throws Exception {
        FamilyPolicy families = new FamilyPolicy(1, 1);
        RootDocument first = root(families.into(RootDocument.signedPart(1, EXPIRES, ROLES)));
        RootDocument second = root(first.successor(EXPIRES.plusSeconds(1), Map.of()));
        assertThat(second.version()).isEqualTo(2);
        assertThat(second.envelope().expires()).isEqualTo(EXPIRES.plusSeconds(1));
        assertThat(second.roles()).isEqualTo(first.roles());
        assertThat(FamilyPolicy.of(second)).isEqualTo(families);
        assertThat(first.version()).as("what was read stays").isEqualTo(1);
    }

    @Test
    void freshKeysRevokeThoseThatNoRoleNamesAnyMore() throws Exception {
        RootDocument first = root(RootDocument.signedPart(1, EXPIRES, ROLES));
        RootDocument.Role fresh = RepositorySimulator.OTHER.role();
        ObjectNode signed = first.successor(EXPIRES, Map.of("timestamp", fresh, RootDocument.DIRECTOR, fresh));
        RootDocument second = root(signed);
        assertThat(second.role("timestamp")).isEqualTo(fresh);
        assertThat(second.role(RootDocument.DIRECTOR)).isEqualTo(fresh);
        assertThat(second.role("snapshot")).isEqualTo(ROLES.snapshot());
        String text = signed.toString();
        assertThat(ROLES.timestamp().keyIds()).allSatisfy(id -> assertThat(text).doesNotContain(id));
        assertThat(ROLES.snapshot().keyIds()).allSatisfy(id -> assertThat(text).contains(id));
    }

    @Test
    void targetsAreReadAsTheyWereWritten() throws Exception {
        Hashes both = new Hashes(Optional.of(Sha256.of(new byte[1])), Optional.of(Binary.copyOf(new byte[64])));
        List<TargetFile> files = List.of(
                new TargetFile("z", 0, Sha256.of(new byte[2]), Json.object()),
                new TargetFile("a/b", Long.MAX_VALUE, both, Json.object().put("kind", "model")));
        Envelope file = Envelope.parse(OFFLINE.sign(TargetsRole.signedPart(9, EXPIRES, files)), "targets", 100_000);
        TargetsRole read = TargetsRole.parse(file);
        assertThat(read.version()).isEqualTo(9);
        assertThat(read.files().values()).as("in their order").containsExactlyElementsOf(files);
        assertThat(read.delegations()).isEmpty();
    }

    @Test
    void snapshotAndTimestampAreReadAsTheyWereWritten() throws Exception {
        Meta targets = Meta.of(9, new byte[] {1, 2});
        Envelope snapshot = Envelope.parse(ONLINE.sign(Meta.snapshot(5, EXPIRES, targets)), "snapshot", 100_000);
        assertThat(Meta.all(snapshot)).isEqualTo(Map.of("targets.json", targets));
        Meta named = Meta.of(snapshot.version(), snapshot.bytes());
        Envelope timestamp = Envelope.parse(ONLINE.sign(Meta.timestamp(6, EXPIRES, named)), "timestamp", 100_000);
        assertThat(Meta.of(timestamp, "snapshot.json")).isEqualTo(named);
        assertThat(Meta.of(timestamp, "snapshot.json").names(snapshot)).isTrue();
    }

    @Test
    void documentsHaveTheBytesThatFleetsSigned() {
        String end = "\"expires\":\"2027-01-02T03:04:05Z\",";
        String of2 = "\"hashes\":{\"sha256\":\"" + Sha256.of(new byte[2]).hex() + "\"},\"length\":2";
        assertThat(canonical(Meta.snapshot(5, EXPIRES, Meta.of(9, new byte[2]))))
                .isEqualTo("{\"_type\":\"snapshot\"," + end + "\"meta\":{\"targets.json\":{" + of2
                        + ",\"version\":9}},\"spec_version\":\"1.0.34\",\"version\":5}");
        assertThat(canonical(Meta.timestamp(6, EXPIRES, Meta.of(5, new byte[2]))))
                .isEqualTo("{\"_type\":\"timestamp\"," + end + "\"meta\":{\"snapshot.json\":{" + of2
                        + ",\"version\":5}},\"spec_version\":\"1.0.34\",\"version\":6}");
        TargetFile file = new TargetFile("a", 2, Sha256.of(new byte[2]), Json.object());
        assertThat(canonical(TargetsRole.signedPart(7, EXPIRES, List.of(file))))
                .isEqualTo("{\"_type\":\"targets\"," + end
                        + "\"spec_version\":\"1.0.34\",\"targets\":{\"a\":{\"custom\":{}," + of2 + "}},\"version\":7}");
    }

    @Test
    void signaturesAreReadAsTheyWereWritten() throws Exception {
        ObjectNode signed = TargetsRole.signedPart(1, EXPIRES, List.of());
        byte[] file = Envelope.write(signed, Map.of("one", new byte[] {1, 2}));
        Envelope read = Envelope.parse(file, "targets", 100_000);
        assertThat(read.signatures()).containsOnlyKeys("one");
        assertThat(read.signatures().get("one")).containsExactly(1, 2);
        assertThat(read.canonical()).isEqualTo(CanonicalJson.bytes(signed));
    }

    @ParameterizedTest
    @EnumSource(KeyKind.class)
    void aPublicKeyIsReadAsItWasWritten(KeyKind kind) throws Exception {
        TufKey key = SigningKey.generate(kind).publicKey();
        TufKey read = TufKey.fromJson(key.toJson()).orElseThrow();
        assertThat(read).isEqualTo(key);
        assertThat(read.keyId()).isEqualTo(key.keyId());
        assertThat(key).hasToString(kind + " " + key.keyId());
    }

    @Test
    void aThresholdCountsKeysAndNotHowOftenOneIsListed() {
        TufKey key = ONLINE.keys().getFirst().publicKey();
        assertThatThrownBy(() -> RootDocument.Role.of(List.of(key, key), 2))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> RootDocument.Role.of(List.of(key), 0)).isInstanceOf(IllegalArgumentException.class);
    }

    private static String canonical(ObjectNode signed) {
        return new String(CanonicalJson.bytes(signed), StandardCharsets.UTF_8);
    }
}
