package dev.holdfast.packaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pages and completions, as the programs that read them see them. */
class CommandPagesTest {
    @TempDir
    static Path folder;

    @BeforeAll
    static void write() throws IOException {
        CommandPages.main(new String[] {"1.2.3", folder.toString()});
    }

    private static String run(String... command) throws Exception {
        assumeTrue(Files.isExecutable(Path.of(command[0])), command[0] + " is not installed");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
        return said.strip();
    }

    @Test
    void everyVerbOfEveryProgramHasAPage() {
        List<String> verbs =
                CommandPages.holdfast().below().stream().map(Verb::name).toList();
        assertThat(verbs)
                .contains(
                        "status",
                        "agent",
                        "provision",
                        "deprovision",
                        "attest",
                        "doctor",
                        "inference",
                        "standalone",
                        "bridge",
                        "model",
                        "run",
                        "explain")
                .doesNotHaveDuplicates();
        assertThat(verbs)
                .allSatisfy(verb -> assertThat(folder.resolve("holdfast/man/holdfast-" + verb + ".1"))
                        .isNotEmptyFile());
        assertThat(folder.resolve("fleet/man/fleet-publish.1")).isNotEmptyFile();
    }

    @Test
    void pagesAreWithoutFaultForTheirFormatter() throws Exception {
        try (var pages = Files.walk(folder)) {
            for (Path page :
                    pages.filter(each -> each.toString().endsWith(".1")).toList()) {
                assertThat(run("/usr/bin/groff", "-man", "-ww", "-z", "-Tutf8", page.toString()))
                        .as(String.valueOf(page))
                        .isEmpty();
            }
        }
        String text = run(
                        "/usr/bin/groff",
                        "-man",
                        "-Tascii",
                        "-P-c",
                        folder.resolve("fleet/man/fleet-publish.1").toString())
                .replaceAll(".\b", "");
        assertThat(text).contains("FLEET-PUBLISH(1)", "Holdfast 1.2.3", "--template", "the chat template");
    }

    @Test
    void aLineIsNoRequestOfTheFormatter() {
        assertThat(ManualPage.escape(".so /etc/passwd")).isEqualTo("\\&.so /etc/passwd");
        assertThat(ManualPage.escape("'a \\ b --c")).isEqualTo("\\&'a \\e b \\-\\-c");
    }

    @Test
    void samePagesForTheSameEdition() {
        ManualPage.Edition edition = new ManualPage.Edition("1", LocalDate.EPOCH);
        assertThat(ManualPage.of(CommandPages.holdfast(), edition))
                .isEqualTo(ManualPage.of(CommandPages.holdfast(), edition))
                .contains(".TH HOLDFAST 1 1970-01-01");
    }

    @Test
    void bashCompletesVerbsAndOptions() throws Exception {
        String file = folder.resolve("holdfast/completion.bash").toString();
        String ask = "source " + file + "; COMP_WORDS=(holdfast %s); COMP_CWORD=%d; _holdfast; echo ${COMPREPLY[@]}";
        assertThat(run("/bin/bash", "-c", ask.formatted("prov", 1))).isEqualTo("provision");
        assertThat(run("/bin/bash", "-c", ask.formatted("provision --ag", 2))).isEqualTo("--again");
    }

    @Test
    void fishCompletesVerbsAndOptions() throws Exception {
        String file = folder.resolve("holdfast/completion.fish").toString();
        assertThat(run("/usr/bin/fish", "-c", "source " + file + "; complete -C 'holdfast prov'"))
                .startsWith("provision\t");
        assertThat(run("/usr/bin/fish", "-c", "source " + file + "; complete -C 'holdfast provision --ag'"))
                .startsWith("--again\t");
        assertThat(run("/usr/bin/fish", "-c", "source " + file + "; complete -C 'holdfast model insp'"))
                .startsWith("inspect\t");
    }

    @Test
    void zshReadsItsCompletion() throws Exception {
        run("/usr/bin/zsh", "-n", folder.resolve("holdfast/completion.zsh").toString());
        run("/usr/bin/zsh", "-n", folder.resolve("fleet/completion.zsh").toString());
    }
}
