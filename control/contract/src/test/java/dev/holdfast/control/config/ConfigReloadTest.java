package dev.holdfast.control.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigReloadTest {
    private static final String NAMES = "fleet = \"f\"\ndevice = \"d\"\n";

    @TempDir
    Path folder;

    private final List<Duration> taken = new ArrayList<>();

    private Path write(String toml) throws Exception {
        return Files.writeString(folder.resolve("holdfast.toml"), toml);
    }

    private ConfigReload<ConfigFile> begin(String toml) throws Exception {
        Path file = write(toml);
        return new ConfigReload<>(
                file,
                ConfigReader.AGENT,
                ConfigFile.read(file, ConfigReader.AGENT).orThrow(),
                config -> config.get(ConfigKeys.BROKER).contains("nowhere")
                        ? Verdict.rejected(Code.CFG_INVALID, "the daemon's own judgement")
                        : Verdict.accepted(config),
                (_, config) -> taken.add(config.get(ConfigKeys.REFRESH_SECONDS)));
    }

    @Test
    void whatDoesNotHoldChangesNothing() throws Exception {
        ConfigReload<ConfigFile> reload = begin(NAMES + "refresh-seconds = 10\n");
        write(NAMES + "refresh-seconds = 20\nmetered = 3\n");
        assertThat(reload.run())
                .hasToString("the configuration stays as it was: CFG-INVALID: holdfast.toml:4:11: metered must"
                        + " be true or false; it is 3");
        write(NAMES + "refresh-seconds = 20\nbroker = \"mqtt://nowhere\"\n");
        assertThat(reload.run())
                .hasToString("the configuration stays as it was: CFG-INVALID: the daemon's own judgement");
        Files.delete(folder.resolve("holdfast.toml"));
        assertThat(reload.run()).isInstanceOf(ConfigReload.Outcome.Kept.class);
        assertThat(taken).isEmpty();
    }

    @Test
    void saysWhatIsInForceAndWhatWaits() throws Exception {
        ConfigReload<ConfigFile> reload = begin(NAMES + "refresh-seconds = 10\n");
        write(NAMES + "refresh-seconds = 20\nbroker = \"mqtt://b\"\nthreads = 3\n");
        assertThat(reload.run())
                .hasToString("the configuration was read again: refresh-seconds changed; broker waits for a restart");
        // What waits is named until the restart, what is in force once.
        assertThat(reload.run())
                .hasToString("the configuration was read again: nothing changed; broker waits for a restart");
        write(NAMES + "refresh-seconds = 20\n");
        assertThat(reload.run()).hasToString("the configuration was read again: nothing changed");
        assertThat(taken).containsOnly(Duration.ofSeconds(20));
    }

    @Test
    void aDropInIsReadToo() throws Exception {
        ConfigReload<ConfigFile> reload = begin(NAMES);
        Files.createDirectories(folder.resolve("conf.d"));
        Files.writeString(folder.resolve("conf.d/1.toml"), "refresh-seconds = 30\n");
        assertThat(reload.run()).hasToString("the configuration was read again: refresh-seconds changed");
        assertThat(taken).containsExactly(Duration.ofSeconds(30));
    }
}
