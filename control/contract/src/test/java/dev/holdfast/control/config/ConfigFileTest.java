package dev.holdfast.control.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigFileTest {
    private static final String NAMES = "fleet = \"f\"\ndevice = \"d\"\n";

    @TempDir
    Path folder;

    private Path file(String toml) throws Exception {
        return Files.writeString(folder.resolve("holdfast.toml"), toml);
    }

    private Path dropIn(String name, String toml) throws Exception {
        Files.createDirectories(folder.resolve("conf.d"));
        return Files.writeString(folder.resolve("conf.d").resolve(name), toml);
    }

    private List<String> problems(String toml) throws Exception {
        return ConfigFile.of(file(toml)).problems().stream()
                .map(problem -> problem.toString().replace(folder + "/", ""))
                .toList();
    }

    @Test
    void isNamedByADaemonsArguments() {
        assertThat(ConfigFile.named(List.of())).contains(Path.of(ConfigFile.DEFAULT));
        assertThat(ConfigFile.named(List.of("--config", "a.toml"))).contains(Path.of("a.toml"));
        assertThat(ConfigFile.named(List.of("--config=a.toml"))).contains(Path.of("a.toml"));
        for (String other : List.of("--help", "--config", "a.toml", "--config a.toml more", "--configs=a.toml")) {
            assertThat(ConfigFile.named(List.of(other.split(" ")))).as(other).isEmpty();
        }
    }

    @Test
    void saysEverythingThatIsWrongAtOnceWithItsPlace() throws Exception {
        assertThat(problems("""
            # a comment with device = "x"
            fleet = "acme"
            device = "cam.7"
              refesh-seconds = 60   # misspelt
            threads = 99
            broker = "http://broker"
            "max_sequences" = 2
            metered = "yes"
            """))
                .containsExactly(
                        "holdfast.toml:3:10: device: must be 1 to 64 letters, digits, '_' or '-', the first a letter"
                                + " or digit; no dots; it is \"cam.7\"",
                        "holdfast.toml:4:3: refesh-seconds: is not a key; did you mean refresh-seconds?",
                        "holdfast.toml:5:11: threads: must be an integer from 1 to 16; it is 99",
                        "holdfast.toml:6:10: broker: must be mqtt://HOST[:PORT], or mqtts://HOST[:PORT] for TLS,"
                                + " without user, path or query; it is \"http://broker\"",
                        "holdfast.toml:7:1: max_sequences: is not a key; did you mean max-sequences?",
                        "holdfast.toml:8:11: metered: must be true or false; it is \"yes\"");
    }

    @Test
    void goesOnAfterALineThatIsNotToml() throws Exception {
        assertThat(problems(NAMES + "threads = = 3\nmetered = 1\nstate = \"unfinished\nscrub-seconds = -1\n"))
                .satisfiesExactlyInAnyOrder(
                        first ->
                                assertThat(first).startsWith("holdfast.toml:3:").contains("is not TOML"),
                        second -> assertThat(second).startsWith("holdfast.toml:4:11: metered"),
                        third ->
                                assertThat(third).startsWith("holdfast.toml:5:").contains("is not TOML"),
                        fourth -> assertThat(fourth).startsWith("holdfast.toml:6:17: scrub-seconds"));
    }

    @Test
    void aKeyThatIsThereTwiceIsRefused() throws Exception {
        assertThat(problems(NAMES + "threads = 1\nthreads = 2\nmetered = 1\n"))
                .containsExactly(
                        "holdfast.toml:4:1: threads: is there already, in line 3",
                        "holdfast.toml:5:11: metered: must be true or false; it is 1");
    }

    @Test
    void tablesAreNoKeys() throws Exception {
        assertThat(problems(NAMES + "[inference]\nthreads = 2\n"))
                .containsExactly(
                        "holdfast.toml:3:2: inference: is not a key; holdfast config reference lists those there are");
    }

    @Test
    void namesWhatTheAgentNeeds() throws Exception {
        assertThat(problems("threads = 1\n"))
                .hasSize(2)
                .allSatisfy(problem ->
                        assertThat(problem).startsWith("holdfast.toml:1:1: ").contains("is missing"));
        assertThat(ConfigFile.read(file("threads = 1\n"), ConfigReader.INFERENCE)
                        .isAccepted())
                .isTrue();
    }

    @Test
    void oneUserCannotHaveMoreThanAll() throws Exception {
        assertThat(problems(NAMES + "max-sequences = 2\nmax-sequences-per-user = 3\n"))
                .containsExactly(
                        "holdfast.toml:4:26: max-sequences-per-user: must be at most max-sequences, which is 2; it"
                                + " is 3");
    }

    @Test
    void aProgramIsHeldUpByItsOwnKeysOnly() throws Exception {
        Path file = file(NAMES + "threads = 99\n");
        assertThat(ConfigFile.read(file, ConfigReader.AGENT).isAccepted()).isTrue();
        assertThat(ConfigFile.read(file, ConfigReader.COMMAND).isAccepted()).isTrue();
        assertThat(ConfigFile.read(file, ConfigReader.INFERENCE).isAccepted()).isFalse();
        assertThat(ConfigFile.read(file("typo-of-nothing = 1\n"), ConfigReader.COMMAND)
                        .isAccepted())
                .isFalse();
    }

    @Test
    void theRefusalNamesTheFirstProblemAndHowManyMore() throws Exception {
        Path file = file("threads = 99\nmax-sequences = 0\nkv-cache = \"f8\"\n");
        assertThat(ConfigFile.read(file, ConfigReader.INFERENCE))
                .isInstanceOfSatisfying(Verdict.Rejected.class, rejected -> {
                    Rejection why = rejected.reason();
                    assertThat(why.code()).isEqualTo(Code.CFG_INVALID);
                    assertThat(why.field()).isEqualTo("threads");
                    assertThat(why.detail())
                            .startsWith("holdfast.toml:1:11: threads ")
                            .contains("; and 2 more: holdfast config check ");
                });
    }

    @Test
    void dropInsCountInTheOrderOfTheirNames() throws Exception {
        Path file = file(NAMES + "refresh-seconds = 10\nprobation-seconds = 11\nstate = \"s\"\n");
        dropIn("20-late.toml", "refresh-seconds = 30\nbroker-authorities = \"ca.pem\"\n");
        dropIn("10-early.toml", "refresh-seconds = 20\nscrub-seconds = 21\n");
        dropIn("notes.txt", "nothing = 1\n");
        dropIn(".10-early.toml.swp.toml", "nothing = 1\n");
        ConfigFile config = ConfigFile.read(file, ConfigReader.AGENT).orThrow();
        assertThat(config.get(ConfigKeys.REFRESH_SECONDS)).isEqualTo(Duration.ofSeconds(30));
        assertThat(config.get(ConfigKeys.SCRUB_SECONDS)).isEqualTo(Duration.ofSeconds(21));
        assertThat(config.get(ConfigKeys.PROBATION_SECONDS)).isEqualTo(Duration.ofSeconds(11));
        assertThat(config.entry(ConfigKeys.REFRESH_SECONDS))
                .hasValueSatisfying(entry -> assertThat(entry.dropIn()).isTrue());
        assertThat(config.files())
                .extracting(path -> path.getFileName().toString())
                .containsExactly("holdfast.toml", "10-early.toml", "20-late.toml");
        // In a drop-in, too, relative paths count from the folder of the file itself.
        assertThat(config.find(ConfigKeys.BROKER_AUTHORITIES))
                .contains(List.of(folder.toAbsolutePath().resolve("ca.pem")));
    }

    @Test
    void whatIsWrongInADropInIsNamedThere() throws Exception {
        Path file = file(NAMES);
        dropIn("10.toml", "\nthreads = 0\n");
        assertThat(ConfigFile.of(file).problems())
                .extracting(ConfigProblem::toString)
                .containsExactly(
                        folder.resolve("conf.d/10.toml") + ":2:11: threads: must be an integer from 1 to 16; it is 0");
    }

    @Test
    void aFileThatIsNotThereIsOneProblem() {
        assertThat(ConfigFile.of(folder.resolve("none.toml")).problems())
                .extracting(ConfigProblem::detail)
                .containsExactly("there is no such file");
    }

    @Test
    void aProgramThatReadsWhatItDoesNotNameIsAFault() throws Exception {
        ConfigFile config = ConfigFile.read(file(NAMES), ConfigReader.INFERENCE).orThrow();
        assertThatThrownBy(() -> config.get(ConfigKeys.FLEET)).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @CsvSource({
        "refresh_seconds, refresh-seconds",
        "Broker, broker",
        "brokre, broker",
        "contextokens, context-tokens",
        "max-sequence, max-sequences",
    })
    void theNearestNameIsFound(String word, String meant) {
        assertThat(NearestName.of(word, ConfigKeys.names())).contains(meant);
    }

    @Test
    void whatIsFarFromEveryNameHasNoNearest() {
        assertThat(NearestName.of("password", ConfigKeys.names())).isEmpty();
        assertThat(NearestName.of("x".repeat(60_000), ConfigKeys.names())).isEmpty();
    }

    @Test
    void positionsSurviveWhatTomlAllowsInValues() {
        var positions = TomlPositions.of("""
            a = \"\"\"
            b = 1
            \\\"\"\" # \"\"\"
            'c d' = ['x = 1', # ]
              2,
            ]
            e.f = {g = "}"} # h = 1
            i = '''
            \\'''
            j=1
            """);
        assertThat(positions.keySet()).containsExactlyInAnyOrder("a", "c d", "e", "i", "j");
        assertThat(positions.get("j")).hasToString("Entry[key=10:1, value=10:3]");
    }

    @Test
    void changedFilesAreReadOrRefusedAndNeverThrow() throws Exception {
        byte[] whole = (NAMES
                        + "state = '''s'''\n"
                        + "tee = \"software\" # c\n"
                        + "threads = [1, {a = 2}]\n"
                        + "\"x\" = 1979-05-27T07:32:00Z\n")
                .getBytes(StandardCharsets.UTF_8);
        Random random = new Random(5);
        int wrong = 0;
        for (int i = 0; i < 3_000; i++) {
            byte[] bytes = whole.clone();
            for (int change = random.nextInt(4); change >= 0; change--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            Path file = Files.write(folder.resolve("holdfast.toml"), bytes);
            wrong += ConfigFile.of(file).problems().isEmpty() ? 0 : 1;
        }
        assertThat(wrong).isEqualTo(3_000);
    }
}
