package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.fleet.FleetKeys;
import dev.holdfast.trust.signing.RootSigning;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The ceremony through the command line, with a holder for each key of the root. */
class RootCommandTest {
    private static final List<String> KINDS = List.of("ed25519", "ml-dsa-65", "ecdsa-p256");

    @TempDir
    Path dir;

    private Path fleet;
    private Path draft;
    private String errors = "";

    @BeforeEach
    void init() throws Exception {
        fleet = dir.resolve("fleet");
        draft = dir.resolve("draft.json");
        assertThat(run("init", "--dir", fleet.toString(), "--name", "f", "--broker", "tcp://127.0.0.1:1"))
                .isZero();
        // The root is offline: each of its keys goes to another holder.
        for (String kind : KINDS) {
            Files.createDirectories(dir.resolve(kind));
            String name = "root-" + kind + ".pem";
            Files.move(fleet.resolve("keys").resolve(name), dir.resolve(kind).resolve(name));
        }
    }

    private int run(String... args) {
        StringWriter err = new StringWriter();
        int code = FleetCommand.run(new PrintWriter(new StringWriter()), new PrintWriter(err, true), args);
        errors = err.toString();
        return code;
    }

    private int draft(String... more) {
        List<String> args = new ArrayList<>(List.of("root", "draft", "--dir", fleet.toString(), draft.toString()));
        args.addAll(List.of(more));
        return run(args.toArray(new String[0]));
    }

    private int sign(String holder) {
        return run("root", "sign", "--keys", dir.resolve(holder).toString(), draft.toString());
    }

    private int publish() {
        return run("root", "publish", "--dir", fleet.toString(), draft.toString());
    }

    private byte[] root(int version) throws Exception {
        return Files.readAllBytes(fleet.resolve("metadata").resolve(version + ".root.json"));
    }

    @Test
    void holdersSignInTurnAndNothingIsPublishedBefore() throws Exception {
        byte[] old = Files.readAllBytes(fleet.resolve("keys/timestamp-ed25519.pem"));
        assertThat(draft("--rotate", "timestamp", "--rotate", "director"))
                .as(errors)
                .isZero();
        for (String holder : KINDS) {
            assertThat(publish()).isEqualTo(1);
            assertThat(errors).startsWith("UPD-SIGNATURE");
            assertThat(sign(holder)).isZero();
        }
        assertThat(publish()).as(errors).isZero();
        assertThat(RootSigning.follows(root(1), root(1), root(2)).orThrow()).isEqualTo(2);
        byte[] fresh = Files.readAllBytes(fleet.resolve("keys/timestamp-ed25519.pem"));
        assertThat(fresh).isNotEqualTo(old);
        String revoked = key(old);
        assertThat(new String(root(1), java.nio.charset.StandardCharsets.UTF_8)).contains(revoked);
        assertThat(new String(root(2), java.nio.charset.StandardCharsets.UTF_8))
                .as("a rotated key is revoked")
                .doesNotContain(revoked);
        assertThat(Files.readString(fleet.resolve("metadata/timestamp.json")))
                .contains(key(fresh))
                .doesNotContain(revoked);
        assertThat(publish()).as("again, after a power cut").isZero();
    }

    private String key(byte[] pem) throws Exception {
        Path folder = Files.createDirectories(dir.resolve("one"));
        Files.write(folder.resolve("timestamp-ed25519.pem"), pem);
        return FleetKeys.TIMESTAMP.loadPresent(folder).getFirst().keyId();
    }

    @Test
    void aThrownAwayDraftLeavesTheKeysInUse() throws Exception {
        byte[] used = Files.readAllBytes(fleet.resolve("keys/director-ed25519.pem"));
        assertThat(draft("--rotate", "director")).isZero();
        assertThat(draft()).isZero();
        KINDS.forEach(this::sign);
        assertThat(publish()).as(errors).isZero();
        assertThat(Files.readAllBytes(fleet.resolve("keys/director-ed25519.pem")))
                .isEqualTo(used);
    }

    @Test
    void newKeysOfTheRootNeedTheOldOnesToo() throws Exception {
        assertThat(draft("--rotate", "root")).isZero();
        assertThat(run("root", "sign", "--keys", fleet.resolve("keys/root-2").toString(), draft.toString()))
                .isZero();
        assertThat(publish()).isEqualTo(1);
        assertThat(errors).startsWith("UPD-SIGNATURE");
        KINDS.forEach(this::sign);
        assertThat(publish()).as(errors).isZero();
    }

    @Test
    void remindsBeforeExpiry() {
        assertThat(run("root", "status", "--dir", fleet.toString())).isZero();
        assertThat(run("root", "status", "--dir", fleet.toString(), "--days", "8"))
                .isEqualTo(1);
    }

    @Test
    void whoHoldsNoKeySignsNothing() throws Exception {
        assertThat(draft()).isZero();
        Path empty = Files.createDirectories(dir.resolve("empty"));
        assertThat(run("root", "sign", "--keys", empty.toString(), draft.toString()))
                .isEqualTo(1);
    }
}
