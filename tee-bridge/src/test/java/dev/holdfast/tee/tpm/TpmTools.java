package dev.holdfast.tee.tpm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Binary;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Debian's tpm2-tools on a test's TPM. */
public final class TpmTools {
    /** First in the files of tpm2_makecredential. */
    public static final long CREDENTIAL_MAGIC = 0xbadcc0deL;

    private final Path log;
    private final String tcti;

    public TpmTools(Path dir, Swtpm swtpm) {
        this.log = dir.resolve("tools.log");
        this.tcti = "swtpm:path=" + ((TpmAddress.Unix) swtpm.address()).path();
    }

    /** Runs a tool that must succeed, and flushes what it left loaded: behind a socket nobody else does. */
    public void run(String tool, String... arguments) throws Exception {
        assertThat(status(tool, arguments))
                .as(tool + ": " + Files.readString(log))
                .isZero();
    }

    /** Writes an index as the TPM's maker would, readable by everybody. */
    public void storeCertificate(String index, byte[] der) throws Exception {
        Path file = log.resolveSibling("certificate");
        Files.write(file, der);
        String size = String.valueOf(der.length);
        run("tpm2_nvdefine", "-C", "o", "-s", size, "-a", "ownerread|ownerwrite|authread|no_da", index);
        run("tpm2_nvwrite", "-C", "o", "-i", file.toString(), index);
    }

    /** Several tools in one shell, where a session must live from one to the next. */
    public int script(String script) throws Exception {
        int status = Swtpm.run(log, "env", "TPM2TOOLS_TCTI=" + tcti, "bash", "-c", script);
        flush();
        return status;
    }

    public int status(String tool, String... arguments) throws Exception {
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

    /** What tpm2_makecredential closed: TPMS_ID_OBJECT and TPMS_ECC_POINT or the RSA ciphertext, without their sizes. */
    public record Credential(Binary blob, Binary encryptedSecret) {}

    /** tpm2_makecredential, which needs no TPM, for a key given as TPMT_PUBLIC. */
    public Credential makeCredential(Binary endorsement, Binary name, Binary secret) throws Exception {
        Swtpm.require("tpm2_makecredential");
        Path key = log.resolveSibling("ek.pub");
        Path clear = log.resolveSibling("secret");
        Path made = log.resolveSibling("credential");
        Files.write(key, new TpmWriter().sized(endorsement).toArray());
        Files.write(clear, secret.toArray());
        List<String> command = List.of(
                "tpm2_makecredential",
                "-Q",
                "-T",
                "none",
                "-u",
                key.toString(),
                "-s",
                clear.toString(),
                "-n",
                name.hex(),
                "-o",
                made.toString());
        assertThat(Swtpm.run(log, command.toArray(String[]::new)))
                .as(Files.readString(log))
                .isZero();
        TpmReader reader = new TpmReader(Files.readAllBytes(made));
        assertThat(reader.u32()).isEqualTo(CREDENTIAL_MAGIC);
        reader.u32(); // version
        return new Credential(reader.sized(1024), reader.sized(1024));
    }

    /** The status of tpm2_checkquote on what {@code holdfast attest --tpm-out} wrote to {@code out}; it needs no TPM. */
    public static int checkquote(Path log, Path out, String qualifying) throws Exception {
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
