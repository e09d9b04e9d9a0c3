package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Keys that are apart from the service's, and under a passphrase: commands find them, or say which are missing and where they looked. */
class OfflineKeysTest {
    @TempDir
    Path dir;

    private Path stick;
    private Path words;
    private Path model;
    private String output = "";
    private String errors = "";

    @BeforeEach
    void prepare() throws Exception {
        stick = dir.resolve("stick");
        words = Files.writeString(dir.resolve("words"), "correct horse battery\n");
        model = Files.createDirectories(dir.resolve("model"));
        TinyModel.write(model.resolve("tiny.gguf"), 1, TinyModel.Flaw.NONE);
        Files.writeString(model.resolve("template.json"), TinyStore.TEMPLATE);
    }

    private int run(String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = FleetCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), args);
        output = out.toString();
        errors = err.toString();
        return code;
    }

    private int fleet(String verb, Object... more) {
        List<String> args =
                new ArrayList<>(List.of(verb, "--dir", dir.resolve("fleet").toString()));
        Stream.of(more).map(Object::toString).forEach(args::add);
        return run(args.toArray(String[]::new));
    }

    private int init(Object... more) {
        List<Object> args =
                new ArrayList<>(List.of("--name", "test", "--broker", "mqtt://127.0.0.1:1", "--offline-keys", stick));
        args.addAll(List.of(more));
        return fleet("init", args.toArray());
    }

    @Test
    void eachCommandTakesThemOrSaysWhatIsMissing() throws Exception {
        assertThat(init("--passphrase-file", words)).as(errors).isZero();
        try (Stream<Path> keys = Files.list(stick)) {
            for (Path key : keys.toList()) {
                assertThat(Files.readString(key))
                        .contains("BEGIN ENCRYPTED PRIVATE KEY")
                        .doesNotContain("BEGIN PRIVATE KEY");
            }
        }
        assertThat(fleet("publish", "chat", "1.0.0", model)).isEqualTo(1);
        assertThat(errors)
                .startsWith("FLT-KEYS: keys of the role targets are missing: targets-ed25519.pem")
                .contains(dir.resolve("fleet/keys").toString());
        assertThat(fleet("publish", "chat", "1.0.0", model, "--keys", stick, "--passphrase-file", words))
                .as(errors)
                .isZero();
        assertThat(fleet("renew")).isEqualTo(1);
        assertThat(output).contains("timestamp", "snapshot").doesNotContain("targets");
        assertThat(errors).startsWith("targets was not renewed: targets-ed25519.pem");
        assertThat(fleet("renew", "--keys", stick, "--passphrase-file", words))
                .as(errors)
                .isZero();
        assertThat(fleet("withdraw", "chat", "1.0.0", "--yes")).isEqualTo(1);
        assertThat(errors).startsWith("FLT-KEYS: keys of the role revocations are missing");
        assertThat(fleet("withdraw", "chat", "1.0.0", "--yes", "--keys", stick, "--passphrase-file", words))
                .as(errors)
                .isZero();
        assertThat(fleet("status")).as(errors).isZero();
        assertThat(output).contains("elsewhere", "at hand", "withdrawn: models/chat/1.0.0/model.gguf");
        assertThat(fleet("desire", "cam-7", "chat", "1.0.0", "--no-hint")).isEqualTo(1);
        assertThat(errors).contains("UPD-WITHDRAWN");
    }

    @Test
    void anotherPassphraseOpensNothing() throws Exception {
        assertThat(init("--passphrase-file", words)).as(errors).isZero();
        Path others = Files.writeString(dir.resolve("others"), "incorrect horse");
        assertThat(fleet("renew", "--keys", stick, "--passphrase-file", others)).isEqualTo(1);
        assertThat(errors).startsWith("FLT-KEYS").contains("does not open with this passphrase");
        Path draft = dir.resolve("next.json");
        assertThat(run("root", "draft", "--dir", dir.resolve("fleet").toString(), draft.toString()))
                .as(errors)
                .isZero();
        assertThat(run("root", "sign", "--keys", dir.toString(), draft.toString()))
                .isEqualTo(1);
        assertThat(errors).startsWith("FLT-KEYS: no key of the role root");
        assertThat(run(
                        "root",
                        "sign",
                        "--keys",
                        stick.toString(),
                        "--passphrase-file",
                        words.toString(),
                        draft.toString()))
                .as(errors)
                .isZero();
        assertThat(run(
                        "root",
                        "publish",
                        "--dir",
                        dir.resolve("fleet").toString(),
                        "--keys",
                        stick.toString(),
                        "--passphrase-file",
                        words.toString(),
                        draft.toString()))
                .as(errors)
                .isZero();
    }

    @Test
    void noKeysAreMadeOpenUnlessSomebodySaysSo() throws Exception {
        assertThat(init()).as("there is no terminal").isEqualTo(1);
        assertThat(errors).startsWith("FLT-KEYS").contains("--passphrase-file FILE");
        assertThat(stick).doesNotExist();
        Path weak = Files.writeString(dir.resolve("weak"), "short");
        assertThat(init("--passphrase-file", weak)).isEqualTo(1);
        assertThat(stick).doesNotExist();
        assertThat(init("--no-passphrase")).as(errors).isZero();
        assertThat(Files.readString(stick.resolve("root-ed25519.pem"))).contains("BEGIN PRIVATE KEY");
        assertThat(fleet("publish", "chat", "1.0.0", model, "--keys", stick))
                .as(errors)
                .isZero();
    }
}
