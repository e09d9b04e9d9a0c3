package dev.holdfast.control.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ConfigReferenceTest {
    private static final Path PAGE = Path.of("../../docs/configuration.md");

    @TempDir
    Path folder;

    @Test
    void thePageIsTheOneThatIsMadeFromTheKeys() throws Exception {
        assertThat(Files.readString(PAGE))
                .as("make it anew: ./dev holdfast config reference --format markdown > docs/configuration.md")
                .isEqualTo(ConfigReference.MARKDOWN.write());
    }

    @ParameterizedTest
    @EnumSource
    void everyKeyIsInEachFormOfTheReference(ConfigReference format) {
        String text = format.write().replace("\\-", "-");
        assertThat(ConfigKeys.all()).allSatisfy(key -> assertThat(text).contains(key.name()));
        assertThat(text).endsWith("\n").doesNotContain("\n\n\n");
    }

    @Test
    void everyKeyIsWrittenOnceUnderItsOwnName() {
        List<String> constants = Arrays.stream(ConfigKeys.class.getFields())
                .filter(field -> Modifier.isStatic(field.getModifiers()) && field.getType() == ConfigKey.class)
                .map(field -> field.getName().toLowerCase(java.util.Locale.ROOT).replace('_', '-'))
                .toList();
        assertThat(ConfigKeys.names()).containsExactlyElementsOf(constants);
    }

    @Test
    void everyDefaultIsAValueThatTheKeyTakes() throws Exception {
        StringBuilder toml = new StringBuilder("fleet = \"f\"\ndevice = \"d\"\n");
        for (ConfigKey<?> key : ConfigKeys.all()) {
            key.fallback().ifPresent(value -> toml.append(key.name() + " = " + value + "\n"));
        }
        Path file = Files.writeString(folder.resolve("holdfast.toml"), toml);
        assertThat(ConfigFile.of(file).problems()).isEmpty();
    }

    @Test
    void aManPageHasNoLineThatTroffWouldTakeForARequest() {
        List<String> requests = List.of(".TH", ".SH", ".TP", ".B ", ".PP", ".I ", ".br", ".BR");
        assertThat(ConfigReference.MAN.write().lines().filter(line -> line.startsWith(".") || line.startsWith("'")))
                .allSatisfy(line -> assertThat(requests).anyMatch(line::startsWith));
    }
}
