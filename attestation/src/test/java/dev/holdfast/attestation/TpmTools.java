package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.tee.TpmAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Debian's tpm2-tools on a test's TPM. */
final class TpmTools {
    private final Path log;
    private final String tcti;

    TpmTools(Path dir, Swtpm swtpm) {
        this.log = dir.resolve("tools.log");
        this.tcti = "swtpm:path=" + ((TpmAddress.Unix) swtpm.address()).path();
    }

    /** Runs a tool that must succeed, and flushes what it left loaded: behind a socket nobody else does. */
    void run(String tool, String... arguments) throws Exception {
        assertThat(status(tool, arguments))
                .as(tool + ": " + Files.readString(log))
                .isZero();
    }

    /** Several tools in one shell, where a session must live from one to the next. */
    int script(String script) throws Exception {
        int status = Swtpm.run(log, "env", "TPM2TOOLS_TCTI=" + tcti, "bash", "-c", script);
        flush();
        return status;
    }

    int status(String tool, String... arguments) throws Exception {
        Swtpm.require(tool);
        List<String> command = new ArrayList<>(List.of(tool, "-T", tcti));
        command.addAll(List.of(arguments));
        int status = Swtpm.run(log, command.toArray(String[]::new));
        flush();
        return status;
    }

    private void flush() throws Exception {
        for (String kind : List.of("-t", "-l", "-s")) {
            Swtpm.run(log.resolveSibling("flush.log"), "tpm2_flushcontext", "-T", tcti, kind);
        }
    }

    /** The status of tpm2_checkquote on what {@link TpmQuoteFiles} wrote to {@code out}; it needs no TPM. */
    static int checkquote(Path log, Path out, String qualifying) throws Exception {
        Swtpm.require("tpm2_checkquote");
        String pcrs = Files.readString(out.resolve("pcrs.txt")).strip();
        List<String> command = new ArrayList<>(List.of("tpm2_checkquote", "-g", "sha256", "-q", qualifying));
        for (String file : List.of("-u:ak.pem", "-m:quote.msg", "-s:quote.sig", "-f:quote.pcrs")) {
            command.add(file.substring(0, 2));
            command.add(out.resolve(file.substring(3)).toString());
        }
        if (pcrs.split(",").length <= 8) {
            command.addAll(List.of("-F", "values", "-l", pcrs));
        }
        return Swtpm.run(log, command.toArray(String[]::new));
    }
}
