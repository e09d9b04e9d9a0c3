package dev.holdfast.trust.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.PathPattern;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.trust.signing.SignedMetadata;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The workflow of TUF over HTTP, with delegated roles and downloads. */
class RepositoryClientTest {
    private static final Clock CLOCK = Clock.fixed(RepositorySimulator.NOW, ZoneOffset.UTC);

    @TempDir
    Path folder;

    private DelegatedRepository repository;

    @BeforeEach
    void open() throws IOException {
        repository = new DelegatedRepository();
    }

    @AfterEach
    void close() {
        repository.close();
    }

    private RepositoryClient client() throws Exception {
        Path trusted = folder.resolve("trusted.root");
        Files.write(trusted, repository.rootFile(1));
        Path metadata = folder.resolve("metadata");
        if (!Files.exists(metadata)) {
            RepositoryClient.initialize(metadata, trusted);
        }
        return RepositoryClient.open(metadata, new HttpRepository(repository.url("metadata")), CLOCK)
                .orThrow();
    }

    private Verdict<Path> download(String path) throws Exception {
        RepositoryClient client = client();
        client.refresh().orThrow();
        Optional<TargetFile> found = client.find(path).orThrow();
        return client.download(found.orElseThrow(), repository.url("targets"), folder.resolve("target"));
    }

    private String saysWho(String path) throws Exception {
        RepositoryClient client = client();
        client.refresh().orThrow();
        Optional<TargetFile> found = client.find(path).orThrow();
        if (found.isEmpty()) {
            return "nobody";
        }
        Path file = client.download(found.get(), repository.url("targets"), folder.resolve("target"))
                .orThrow();
        return Files.readString(file).split(" ")[0];
    }

    private static void assertRefused(Verdict<?> verdict, Code code) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        rejected -> assertThat(rejected.reason().code()).isEqualTo(code));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void downloadsWhatIsListed(boolean consistent) throws Exception {
        repository.consistent = consistent;
        byte[] content = repository.target("targets", "models/a b/gguf?x#1.gguf");
        repository.publish();
        Path file = download("models/a b/gguf?x#1.gguf").orThrow();
        assertThat(file).hasBinaryContent(content);
        int asked = repository.requests.size();
        download("models/a b/gguf?x#1.gguf").orThrow();
        assertThat(repository.requests.subList(asked, repository.requests.size()))
                .as("a file that is there is not fetched again")
                .noneMatch(path -> path.startsWith("/targets/"));
        assertThat(folder.resolve("metadata").toFile().list())
                .containsExactlyInAnyOrder("root.json", "timestamp.json", "snapshot.json", "targets.json");
    }

    @Test
    void refusesAFileThatIsNotTheListedOne() throws Exception {
        repository.target("targets", "a");
        repository.publish();
        Files.writeString(folder.resolve("target"), "before");
        String path = repository.files.keySet().stream()
                .filter(name -> name.startsWith("/targets/"))
                .findFirst()
                .orElseThrow();
        byte[] content = repository.file(path);
        byte[] flipped = content.clone();
        flipped[3] ^= 1;
        repository.files.put(path, flipped);
        assertRefused(download("a"), Code.UPD_MISMATCH);
        repository.files.put(path, Arrays.copyOf(content, content.length + 1));
        assertRefused(download("a"), Code.UPD_MISMATCH);
        repository.files.put(path, Arrays.copyOf(content, content.length - 1));
        assertRefused(download("a"), Code.UPD_MISMATCH);
        repository.files.remove(path);
        assertRefused(download("a"), Code.LNK_REFUSED);
        assertThat(folder.resolve("target")).hasContent("before");
        assertThat(folder.toFile().list()).doesNotContain("target.part", "target.part.tag");
    }

    @Test
    void endlessDataEndsAtTheLength() throws Exception {
        repository.target("targets", "a");
        repository.publish();
        RepositoryClient client = client();
        client.refresh().orThrow();
        TargetFile target = client.find("a").orThrow().orElseThrow();
        assertRefused(client.download(target, repository.url("endless"), folder.resolve("target")), Code.UPD_MISMATCH);
        assertThatThrownBy(() -> new HttpRepository(repository.url("endless")).fetch("timestamp.json", 65_536))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("longer than");
    }

    @Test
    void searchesInTheOrderOfDelegations() throws Exception {
        repository.delegate("targets", "first", false, "models/*");
        repository.delegate("targets", "second", false, "models/*", "*/deep/*.gguf");
        repository.target("second", "models/a");
        repository.target("first", "models/b");
        repository.target("second", "models/b");
        repository.target("second", "x/deep/c.gguf");
        repository.target("second", "elsewhere");
        repository.publish();
        assertThat(saysWho("models/a")).isEqualTo("second");
        assertThat(saysWho("models/b")).isEqualTo("first");
        assertThat(saysWho("x/deep/c.gguf")).isEqualTo("second");
        assertThat(saysWho("elsewhere")).as("listed, but not delegated").isEqualTo("nobody");
    }

    @Test
    void aTerminatingDelegationEndsTheSearch() throws Exception {
        repository.delegate("targets", "first", true, "models/*");
        repository.delegate("targets", "second", false, "models/*");
        repository.delegate("first", "below", false, "models/*");
        repository.target("second", "models/a");
        repository.target("below", "models/b");
        repository.publish();
        assertThat(saysWho("models/a")).isEqualTo("nobody");
        assertThat(saysWho("models/b")).isEqualTo("below");
    }

    @Test
    void cyclesAndLongChainsEnd() throws Exception {
        repository.delegate("targets", "a", false, "*");
        repository.delegate("a", "b", false, "*");
        repository.delegate("b", "a", false, "*");
        repository.publish();
        assertThat(saysWho("x")).isEqualTo("nobody");
        String parent = "b";
        for (int i = 0; i < 2 * TufClient.MAX_VISITED; i++) {
            repository.delegate(parent, "link" + i, false, "*");
            parent = "link" + i;
        }
        repository.target(parent, "x");
        repository.roles.values().forEach(role -> role.version++);
        repository.publish();
        assertThat(saysWho("x")).as("further than a search goes").isEqualTo("nobody");
    }

    @Test
    void delegatesByThePrefixOfAHash() throws Exception {
        String hash = Sha256.of("bins/a".getBytes(StandardCharsets.UTF_8)).hex();
        repository.delegateByHash("targets", "bin", hash.substring(0, 2));
        repository.target("bin", "bins/a");
        repository.publish();
        assertThat(saysWho("bins/a")).isEqualTo("bin");
        repository.role("targets").delegations.removeAll();
        repository.delegateByHash("targets", "bin", hash.charAt(0) == '0' ? "1" : "0");
        repository.role("targets").version++;
        repository.publish();
        assertThat(saysWho("bins/a")).isEqualTo("nobody");
    }

    @ParameterizedTest
    @ValueSource(strings = {"a b", "a?b#c", "../../escape", "..", "ünï", "with%2Fpercent"})
    void namesOfRolesAreQuotedInUrlsAndFiles(String name) throws Exception {
        repository.delegate("targets", name, false, "*");
        repository.target(name, "x");
        repository.publish();
        RepositoryClient client = client();
        client.refresh().orThrow();
        assertThat(client.find("x").orThrow()).isPresent();
        assertThat(folder.resolve("metadata").toFile().list()).hasSize(5);
        assertThat(folder.toFile().list()).containsExactlyInAnyOrder("metadata", "trusted.root");
    }

    @Test
    void aDelegatedRoleMayNotTakeANameOfTheRoot() throws Exception {
        repository.delegate("targets", "snapshot", false, "*");
        repository.publish();
        assertRefused(client().refresh(), Code.UPD_FORMAT);
    }

    @ParameterizedTest
    @EnumSource(KeyKind.class)
    void everyKindOfKeySigns(KeyKind kind) throws Exception {
        DelegatedRepository.Role role = new DelegatedRepository.Role();
        role.key = SigningKey.generate(kind);
        repository.roles.put("role", role);
        repository.delegate("targets", "role", false, "*");
        repository.target("role", "x");
        repository.publish();
        assertThat(saysWho("x")).isEqualTo("role");
        role.key = SigningKey.generate(kind); // Not the one that was delegated to.
        role.version++;
        repository.publish();
        RepositoryClient client = client();
        client.refresh().orThrow();
        assertRefused(client.find("x"), Code.UPD_SIGNATURE);
    }

    @Test
    void aCachedRoleIsVerifiedUnderTheKeysOfToday() throws Exception {
        repository.delegate("targets", "role", false, "*");
        repository.target("role", "x");
        repository.publish();
        assertThat(saysWho("x")).isEqualTo("role");
        // The same file, but the delegation now names another key.
        DelegatedRepository.Role targets = repository.role("targets");
        targets.delegations.removeAll();
        targets.keys.removeAll();
        SigningKey own = repository.role("role").key;
        repository.role("role").key = SigningKey.generate(KeyKind.ED25519);
        repository.delegate("targets", "role", false, "*");
        repository.role("role").key = own;
        targets.version++;
        repository.publish();
        RepositoryClient client = client();
        client.refresh().orThrow();
        assertRefused(client.find("x"), Code.UPD_SIGNATURE);
    }

    @Test
    void whatOneDelegatorVouchesForIsNothingToTheOther() throws Exception {
        repository.delegate("targets", "a", false, "a/*");
        repository.delegate("targets", "b", false, "b/*");
        repository.delegate("a", "shared", false, "a/*");
        SigningKey own = repository.role("shared").key;
        repository.role("shared").key = SigningKey.generate(KeyKind.ED25519);
        repository.delegate("b", "shared", false, "b/*");
        repository.role("shared").key = own;
        repository.target("shared", "a/x");
        repository.target("shared", "b/x");
        repository.publish();
        RepositoryClient client = client();
        client.refresh().orThrow();
        assertThat(client.find("a/x").orThrow()).isPresent();
        assertRefused(client.find("b/x"), Code.UPD_SIGNATURE);
    }

    @Test
    void refusesAnExpiredDelegatedRole() throws Exception {
        repository.delegate("targets", "role", false, "*").expires =
                RepositorySimulator.NOW.minus(Duration.ofSeconds(1));
        repository.publish();
        RepositoryClient client = client();
        client.refresh().orThrow();
        assertRefused(client.find("x"), Code.UPD_EXPIRED);
    }

    @Test
    void refusesRollbackOfADelegatedRoleAndItsDisappearance() throws Exception {
        DelegatedRepository.Role role = repository.delegate("targets", "role", false, "*");
        role.version = 3;
        repository.publish();
        client().refresh().orThrow();
        role.version = 2;
        repository.publish();
        assertRefused(client().refresh(), Code.UPD_ROLLBACK);
        role.version = 3;
        repository.roles.remove("role");
        repository.publish();
        assertRefused(client().refresh(), Code.UPD_ROLLBACK);
    }

    @Test
    void takesRootsOneByOneAndForgetsAFastForward() throws Exception {
        repository.version = 1_000_000; // Whoever had the online key made everyone skip ahead.
        repository.publish();
        client().refresh().orThrow();
        repository.version = 2;
        repository.publish();
        assertRefused(client().refresh(), Code.UPD_ROLLBACK);
        byte[] first = repository.rootFile(1);
        RoleSigner fresh = RepositorySimulator.keys(KeyKind.ED25519);
        RoleSigners rotated = new RoleSigners(
                repository.root, new RoleSigner(List.of(repository.role("targets").key), 1), fresh, fresh, fresh);
        repository.files.put(
                "/metadata/2.root.json",
                SignedMetadata.sign(
                        RootDocument.signedPart(2, DelegatedRepository.EXPIRES, rotated.roles()),
                        repository.root.keys()));
        RepositoryClient client = client();
        assertRefused(client.refresh(), Code.UPD_SIGNATURE);
        assertThat(Files.readAllBytes(folder.resolve("metadata/root.json")))
                .isEqualTo(repository.file("/metadata/2.root.json"))
                .isNotEqualTo(first);
        assertThat(folder.resolve("metadata/timestamp.json")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a*c|abbc|true",
                "a*c|a/c|false",
                "*|a/b|false",
                "*/*|a/b|true",
                "a?c|abc|true",
                "a?c|a/c|false",
                "|a|false",
                "||true",
                "***a|a|true",
                "*.gguf|.gguf|true",
                "a|ab|false",
                "a*b*c|axbybc|true"
            })
    void patternsMatchWithinASegment(String row) {
        String[] parts = row.split("\\|", -1);
        assertThat(PathPattern.matches(parts[0], parts[1])).isEqualTo(Boolean.parseBoolean(parts[2]));
    }

    /** Delegations are the part of metadata that whoever holds a delegated key writes. */
    @Test
    void damagedDelegationsAreRefusedOrRead() throws Exception {
        repository.delegate("targets", "first", true, "models/*");
        repository.delegateByHash("targets", "second", "ab");
        repository.target("targets", "a");
        repository.publish();
        byte[] sound = repository.file("/metadata/1.targets.json");
        Random random = new Random(11);
        int refused = 0;
        for (int i = 0; i < 3_000; i++) {
            byte[] damaged = sound.clone();
            for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
            }
            try {
                TargetsRole role = TargetsRole.parse(Envelope.parse(damaged, "targets", TufClient.MAX_TARGETS_BYTES));
                role.delegations().forEach(delegation -> delegation.covers("models/a"));
            } catch (RejectedException e) {
                refused++;
            }
        }
        assertThat(refused).isBetween(500, 3_000);
    }
}
