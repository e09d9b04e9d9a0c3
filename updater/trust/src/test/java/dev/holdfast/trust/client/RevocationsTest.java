package dev.holdfast.trust.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.JsonChanges;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What was withdrawn stays so: whatever list is brought, by whomever, and whether one is brought at all. */
class RevocationsTest {
    private static final String FIRST = "models/intent/1.0.0/model.gguf";
    private static final RoleSigner WITHDRAWING = RepositorySimulator.keys(KeyKind.ED25519, KeyKind.ML_DSA_65);
    private static final RoleSigner OTHERS = RepositorySimulator.keys(KeyKind.ED25519, KeyKind.ML_DSA_65);

    @TempDir
    Path dir;

    private final FakeTee tee = new FakeTee();
    private final RepositorySimulator repo = new RepositorySimulator();

    @BeforeEach
    void begin() throws Exception {
        repo.withdrawing = Optional.of(WITHDRAWING);
        repo.rootVersion = 0;
        repo.root(RepositorySimulator.OFFLINE.keys());
        repo.publish();
        Files.write(dir.resolve("factory.json"), repo.file("1.root.json"));
        tee.provision(dir.resolve("state"), dir.resolve("factory.json"));
    }

    private TrustClient client() throws Exception {
        return TrustClient.start(
                        dir.resolve("state"),
                        dir.resolve("factory.json"),
                        tee.anchors(),
                        repo,
                        Clock.fixed(RepositorySimulator.NOW, ZoneOffset.UTC))
                .orThrow();
    }

    private void withdraw(String path) {
        repo.revocations = repo.revocations.with(path, new Revocations.Withdrawal(1, "bad answers"));
        repo.revocationsVersion++;
        repo.publish();
    }

    private static void assertRefused(Verdict<?> verdict, Code code) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        refused -> assertThat(refused.reason().code())
                                .as(refused.reason().toString())
                                .isEqualTo(code));
    }

    @Test
    void anOrderOfAWithdrawnReleaseIsRefused() throws Exception {
        assertThat(client().order("device-1").isAccepted()).isTrue();
        withdraw(FIRST);
        assertRefused(client().order("device-1"), Code.UPD_WITHDRAWN);
        assertThat(client().withdrawn()).containsExactly(FIRST);
    }

    @Test
    void aReleaseOfAnotherNameIsTrustedStill() throws Exception {
        withdraw("models/intent/0.9.0/model.gguf");
        assertThat(client().order("device-1").isAccepted()).isTrue();
    }

    /** Online keys alone sign these: of snapshot and timestamp. */
    @Test
    void anOlderListTakesNothingBack() throws Exception {
        byte[] older = repo.file("1.revocations.json");
        withdraw(FIRST);
        assertThat(client().refresh().isAccepted()).isTrue();
        repo.publish();
        relist(Optional.of(Meta.of(1, older)));
        assertRefused(client().refresh(), Code.UPD_ROLLBACK);
        assertThat(client().withdrawn()).containsExactly(FIRST);
    }

    @Test
    void aListThatIsWithheldTakesNothingBack() throws Exception {
        withdraw(FIRST);
        assertThat(client().refresh().isAccepted()).isTrue();
        repo.publish();
        relist(Optional.empty());
        // Whoever deletes the stored snapshot does not get past the record either.
        try (Stream<Path> stored = Files.list(dir.resolve("state/metadata"))) {
            for (Path file : stored.toList()) {
                Files.delete(file);
            }
        }
        assertRefused(client().refresh(), Code.UPD_ROLLBACK);
        repo.publish();
        repo.files.remove(repo.revocationsVersion + ".revocations.json");
        assertRefused(client().refresh(), Code.LNK_REFUSED);
        assertThat(client().withdrawn()).containsExactly(FIRST);
    }

    @Test
    void aNewerListThatLacksAnEntryIsRefused() throws Exception {
        withdraw(FIRST);
        assertThat(client().refresh().isAccepted()).isTrue();
        repo.revocations = Revocations.NONE;
        repo.revocationsVersion++;
        repo.publish();
        assertRefused(client().refresh(), Code.UPD_ROLLBACK);
        assertRefused(client().order("device-1"), Code.UPD_ROLLBACK);
        assertThat(client().withdrawn()).containsExactly(FIRST);
    }

    @Test
    void aListThatOneKeyFewerSignedIsRefused() throws Exception {
        repo.revocations = repo.revocations.with(FIRST, new Revocations.Withdrawal(1, ""));
        for (RoleSigner signer : List.of(
                new RoleSigner(WITHDRAWING.keys().subList(0, 1), 1),
                new RoleSigner(WITHDRAWING.keys().subList(1, 2), 1),
                OTHERS,
                RepositorySimulator.OFFLINE)) {
            repo.revocationsVersion++;
            repo.withdrawing = Optional.of(signer);
            repo.publish();
            assertRefused(client().refresh(), Code.UPD_SIGNATURE);
        }
        assertThat(client().withdrawn()).isEmpty();
    }

    /** Who holds the root says that others withdraw from now on, and only that takes an entry back. */
    @Test
    void aRootThatGivesTheRoleOtherKeysBeginsTheListAnew() throws Exception {
        withdraw(FIRST);
        assertThat(client().refresh().isAccepted()).isTrue();
        repo.withdrawing = Optional.of(OTHERS);
        repo.revocations = Revocations.NONE;
        repo.root(RepositorySimulator.OFFLINE.keys());
        repo.publish();
        assertThat(client().order("device-1").isAccepted()).isTrue();
        assertThat(client().withdrawn()).isEmpty();
    }

    @Test
    void aListDoesNotExpireByItself() throws Exception {
        withdraw(FIRST);
        byte[] file = WITHDRAWING.sign(repo.revocations.signedPart(
                ++repo.revocationsVersion, RepositorySimulator.NOW.minus(Duration.ofDays(1))));
        repo.files.put(repo.revocationsVersion + ".revocations.json", file);
        repo.publish();
        repo.files.put(repo.revocationsVersion + ".revocations.json", file);
        relist(Optional.of(Meta.of(repo.revocationsVersion, file)));
        assertThat(client().refresh().isAccepted()).isTrue();
        assertThat(client().withdrawn()).containsExactly(FIRST);
    }

    @Test
    void asManyAsAFleetCanHaveFitIntoTheRecord() throws Exception {
        Revocations many = Revocations.NONE;
        for (int i = 0; i < Revocations.MAX_ENTRIES; i++) {
            String path = "models/" + "m".repeat(60) + i;
            many = many.with(
                    path + "v".repeat(Revocations.MAX_PATH_CHARS - path.length()),
                    new Revocations.Withdrawal(i, "r".repeat(Revocations.MAX_REASON_CHARS)));
        }
        repo.revocations = many;
        repo.revocationsVersion++;
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        assertThat(client().withdrawn()).hasSize(Revocations.MAX_ENTRIES);
    }

    @Test
    void aListOfAnyOtherFormIsRefused() throws Exception {
        ObjectNode good = Revocations.NONE
                .with(FIRST, new Revocations.Withdrawal(1, ""))
                .signedPart(1, RepositorySimulator.LATER);
        assertThat(parse(good).withdrawn()).containsOnlyKeys(FIRST);
        ObjectNode none = good.deepCopy();
        none.remove("withdrawn");
        ObjectNode array = good.deepCopy();
        array.putArray("withdrawn");
        ObjectNode text = good.deepCopy();
        text.withObjectProperty("withdrawn").put("x", "y");
        ObjectNode empty = good.deepCopy();
        empty.withObjectProperty("withdrawn").putObject("").put("since", 1);
        ObjectNode longPath = good.deepCopy();
        longPath.withObjectProperty("withdrawn").putObject("x".repeat(161)).put("since", 1);
        ObjectNode noTime = good.deepCopy();
        noTime.withObjectProperty("withdrawn").putObject("x").put("reason", "");
        ObjectNode longReason = good.deepCopy();
        longReason
                .withObjectProperty("withdrawn")
                .putObject("x")
                .put("since", 1)
                .put("reason", "r".repeat(201));
        ObjectNode many = good.deepCopy();
        for (int i = 0; i <= Revocations.MAX_ENTRIES; i++) {
            many.withObjectProperty("withdrawn").putObject("x" + i).put("since", 1);
        }
        for (ObjectNode bad : List.of(none, array, text, empty, longPath, noTime, longReason, many)) {
            assertThatThrownBy(() -> parse(bad))
                    .as(bad.toString().substring(0, Math.min(200, bad.toString().length())))
                    .hasMessageStartingWith("UPD-FORMAT");
        }
    }

    private static Revocations parse(ObjectNode signed) throws Exception {
        return Revocations.parse(
                Envelope.parse(Json.write(file(signed)), RootDocument.REVOCATIONS, Revocations.MAX_BYTES));
    }

    private static ObjectNode file(ObjectNode signed) {
        ObjectNode file = Json.object();
        file.putArray("signatures");
        file.set("signed", signed);
        return file;
    }

    /** Signs a snapshot that lists this list, or none, with keys that are good. */
    private void relist(Optional<Meta> revocations) throws IOException {
        long version = repo.version;
        java.util.TreeMap<String, Meta> listed = new java.util.TreeMap<>(
                java.util.Map.of("targets.json", Meta.of(version, repo.file(version + ".targets.json"))));
        revocations.ifPresent(meta -> listed.put("revocations.json", meta));
        byte[] snapshot = RepositorySimulator.SNAPSHOT.sign(Meta.snapshot(version, repo.expires, listed));
        repo.files.put(version + ".snapshot.json", snapshot);
        repo.files.put(
                "timestamp.json",
                RepositorySimulator.TIMESTAMP.sign(Meta.timestamp(version, repo.expires, Meta.of(version, snapshot))));
    }

    @Test
    void changedListsAreReadOrRefused() throws Exception {
        withdraw(FIRST);
        byte[] good = repo.file(repo.revocationsVersion + ".revocations.json");
        Random random = new Random(20261130);
        int read = 0;
        for (int i = 0; i < 2000; i++) {
            byte[] changed = JsonChanges.changed(good, random);
            if (Verdict.of(() ->
                            Revocations.parse(Envelope.parse(changed, RootDocument.REVOCATIONS, Revocations.MAX_BYTES)))
                    instanceof Verdict.Accepted<Revocations>(Revocations list)) {
                read++;
                assertThat(list.withdrawn().size()).isLessThanOrEqualTo(Revocations.MAX_ENTRIES);
            }
        }
        assertThat(read).isBetween(1, 1999);
    }
}
