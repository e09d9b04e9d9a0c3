package dev.holdfast.trust.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is anchored for good is checked first. */
class FactoryRootTest {
    private static final RoleSigner OFFLINE = RepositorySimulator.OFFLINE;

    @TempDir
    Path dir;

    private static ObjectNode root() {
        RoleSigner online = RepositorySimulator.DIRECTOR;
        return new FamilyPolicy(1, 1)
                .into(RootDocument.signedPart(
                        1,
                        RepositorySimulator.LATER,
                        new RoleSigners(
                                        OFFLINE,
                                        OFFLINE,
                                        RepositorySimulator.SNAPSHOT,
                                        RepositorySimulator.TIMESTAMP,
                                        online)
                                .roles()));
    }

    private static void assertRefused(Verdict<FactoryRoot> verdict, Code code) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code())
                                .as(r.reason().toString())
                                .isEqualTo(code));
    }

    @Test
    void takesARootThatSignsItselfAndSaysWhatItIs() throws Exception {
        ObjectNode signed = root().put(RootDocument.FLEET_FIELD, "mill");
        FactoryRoot read = FactoryRoot.check(OFFLINE.sign(signed)).orThrow();
        assertThat(read.root().fleet()).contains("mill");
        assertThat(String.join("\n", read.text(RepositorySimulator.NOW)))
                .contains("fleet     mill", read.hash().hex(), "1 classical and 1 lattice", "director ")
                .doesNotContain("has passed");
        assertThat(String.join("\n", read.text(RepositorySimulator.LATER))).contains("has passed");
    }

    @Test
    void refusesWhatIsNoRootOrNobodySigned() throws Exception {
        assertRefused(FactoryRoot.check("garbage".getBytes(StandardCharsets.UTF_8)), Code.UPD_FORMAT);
        assertRefused(FactoryRoot.check(OFFLINE.sign(root().put("_type", "targets"))), Code.UPD_FORMAT);
        assertRefused(FactoryRoot.check(RepositorySimulator.DIRECTOR.sign(root())), Code.UPD_SIGNATURE);
        byte[] changed = new String(OFFLINE.sign(root()), StandardCharsets.UTF_8)
                .replace("\"version\":1", "\"version\":2")
                .getBytes(StandardCharsets.UTF_8);
        assertRefused(FactoryRoot.check(changed), Code.UPD_SIGNATURE);
        Path empty = Files.createFile(dir.resolve("empty.json"));
        assertRefused(FactoryRoot.read(empty), Code.UPD_FORMAT);
        assertRefused(FactoryRoot.read(dir), Code.UPD_ANCHOR);
        assertRefused(
                FactoryRoot.read(Files.write(dir.resolve("long.json"), new byte[RootDocument.MAX_BYTES + 1])),
                Code.UPD_ANCHOR);
    }

    @Test
    void refusesARootUnderWhichNothingCouldEverBeSigned() throws Exception {
        ObjectNode many = root();
        ((ObjectNode) many.at("/roles/targets")).put("threshold", 60);
        assertRefused(FactoryRoot.check(OFFLINE.sign(many)), Code.UPD_FORMAT);
        assertRefused(FactoryRoot.check(OFFLINE.sign(new FamilyPolicy(1, 60).into(root()))), Code.UPD_FORMAT);
        ObjectNode none = root();
        none.remove("x-holdfast-director");
        assertRefused(FactoryRoot.check(OFFLINE.sign(none)), Code.UPD_FORMAT);
        ObjectNode unreadable = root();
        unreadable.putObject(FamilyPolicy.FIELD).put("isogeny", 1);
        assertRefused(FactoryRoot.check(OFFLINE.sign(unreadable)), Code.UPD_FORMAT);
    }

    @Test
    void changedBytesAreRefusedOrTheSame() throws Exception {
        byte[] good = OFFLINE.sign(root());
        Random random = new Random(20261130);
        int refused = 0;
        for (int i = 0; i < 300; i++) {
            byte[] bad = good.clone();
            switch (random.nextInt(3)) {
                case 0 -> bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
                case 1 -> bad = Arrays.copyOf(bad, random.nextInt(bad.length));
                default -> bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
            }
            refused += FactoryRoot.check(bad).isAccepted() ? 0 : 1;
        }
        assertThat(refused).isGreaterThan(250);
        assertThat(List.of(FactoryRoot.check(good).isAccepted())).containsExactly(true);
    }
}
