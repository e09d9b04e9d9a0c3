package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What happens to a fleet in years, in minutes: every program of it, the operator's commands too, reads a clock that the test moves. The
 * steps are those of docs/drills.md.
 */
@Tag("full")
class DrillsTest {
    @TempDir
    Path dir;

    private Stack stack;

    @BeforeEach
    void aFleetThatServes() throws Exception {
        stack = Stack.prepare(dir, false);
        stack.clock(Duration.ZERO);
        stack.startBroker();
        stack.startFleet();
        stack.startInference();
        stack.startAgent();
        stack.desire("1.0.0");
        stack.awaitCommitted("1.0.0");
    }

    @AfterEach
    void everythingEnds() {
        if (stack != null) {
            stack.close();
        }
    }

    @Test
    void theRootExpires() throws Exception {
        assertThat(stack.command("fleet", "root", "status", "--dir", fleet()).status())
                .as("nothing is due")
                .isZero();
        stack.clock(Duration.ofDays(364));
        assertThat(stack.command("fleet", "root", "status", "--dir", fleet()).status())
                .as("a day before it expires")
                .isOne();

        stack.clock(Duration.ofDays(370));
        stack.awaitRejection("UPD-EXPIRED");
        assertThat(stack.answer("turn on the light")).as("service goes on").isNotBlank();

        signAndPublishTheNextRoot();
        stack.desire("2.0.0");
        stack.awaitCommitted("2.0.0");
        assertThat(stack.command("fleet", "root", "status", "--dir", fleet()).status())
                .isZero();
        stack.assertNoTraces();
    }

    /** The holder of one of the keys of the root, and of one of the targets', is gone, and so are the keys; and so on, four times. */
    @Test
    void aHoldersKeysAreLost() throws Exception {
        int release = 1;
        for (String lost : List.of("ed25519", "ecdsa-p256", "ml-dsa-65", "ml-dsa-87")) {
            Files.delete(dir.resolve("fleet/keys/root-" + lost + ".pem"));
            Files.deleteIfExists(dir.resolve("fleet/keys/targets-" + lost + ".pem"));

            signAndPublishTheNextRoot("--rotate", "root", "--rotate", "targets");
            stack.publishEncoder(release++ + ".0.0");
            stack.desire(release % 2 == 0 ? "2.0.0" : "1.0.0");
            stack.awaitCommitted(release % 2 == 0 ? "2.0.0" : "1.0.0");
        }
        stack.assertNoTraces();
    }

    /** A device that lay in a drawer: its model answers at once, and two roots later it finds its way. */
    @Test
    void aDeviceSleepsForAYear() throws Exception {
        stack.stop("agent");
        stack.stop("inference");
        stack.stop("fleet");
        for (int month = 3; month <= 12; month += 3) {
            stack.clock(Duration.ofDays(30L * month));
            stack.publishEncoder(month + ".0.0");
            if (month % 6 == 0) {
                signAndPublishTheNextRoot("--rotate", "director", "--rotate", "timestamp");
            }
        }
        stack.clock(Duration.ofDays(370));
        stack.publishEncoder("13.0.0");
        stack.startInference();
        stack.awaitServing("1.0.0");
        assertThat(stack.answer("turn on the light"))
                .as("before it reaches anybody")
                .isNotBlank();

        stack.startFleet();
        stack.startAgent();
        stack.desire("2.0.0");
        stack.awaitCommitted("2.0.0");
        assertThat(stack.fleet("devices")).contains("device-1");
        stack.assertNoTraces();
    }

    private String fleet() {
        return dir.resolve("fleet").toString();
    }

    /** As its holders would, and starts the service again, which may have new keys. */
    private void signAndPublishTheNextRoot(String... draft) throws Exception {
        Path next = dir.resolve("next-root.json");
        List<String> words = new ArrayList<>(List.of("root", "draft", "--dir", fleet()));
        words.addAll(List.of(draft));
        words.add(next.toString());
        done(words.toArray(String[]::new));
        done("root", "sign", "--keys", dir.resolve("fleet/keys").toString(), next.toString());
        // Fresh keys of the root sign it, too.
        for (int version = 2; List.of(draft).contains("root") && version <= 9; version++) {
            Path fresh = dir.resolve("fleet/keys/root-" + version);
            if (Files.isDirectory(fresh)) {
                stack.command("fleet", "root", "sign", "--keys", fresh.toString(), next.toString());
            }
        }
        done("root", "publish", "--dir", fleet(), next.toString());
        if (stack.runs("fleet")) {
            stack.stop("fleet");
            stack.startFleet();
        }
    }

    private void done(String... words) throws Exception {
        Tools.Ran ran = stack.command("fleet", words);
        assertThat(ran.status()).as(String.join(" ", words) + ": " + ran.err()).isZero();
    }
}
