package dev.holdfast.tee.pkcs11;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.holdfast.tee.BridgeContract;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Tokens of SoftHSM2, made with its own tool. The module reads the environment's {@code SOFTHSM2_CONF} when it is loaded
 * and learns of new tokens only then: all tokens of a test class must be made before the first bridge is opened.
 */
final class SoftHsm {
    static final Path MODULE = Path.of("/usr/lib/softhsm/libsofthsm2.so");
    static final String PIN = "test-pin-1";

    private SoftHsm() {}

    /** Begins with an empty store and these tokens. Where SoftHSM2 is not installed the test is skipped, except under CI. */
    static void begin(String... labels) throws IOException, InterruptedException {
        if (!Files.exists(MODULE)) {
            String line = "SKIPPED: " + MODULE + " is not installed (apt install softhsm2)";
            System.out.println(line);
            if ("true".equals(System.getenv("CI"))) {
                fail(line);
            }
            abort(line);
        }
        delete(store());
        Files.createDirectories(store());
        Files.writeString(
                Path.of(System.getenv("SOFTHSM2_CONF")),
                "directories.tokendir = " + store() + "\nobjectstore.backend = file\nlog.level = ERROR\n");
        for (String label : labels) {
            run("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "test-so-pin", "--pin", PIN);
        }
    }

    static Path store() {
        return Path.of(System.getenv("SOFTHSM2_CONF")).resolveSibling("softhsm2-tokens");
    }

    static Pkcs11Uri uri(String token, Path pinFile) {
        return BridgeContract.accepted(
                Pkcs11Uri.parse("pkcs11:token=" + token + "?module-path=" + MODULE + "&pin-source=file:" + pinFile));
    }

    static Path pinFile(Path dir, String pin) throws IOException {
        Path file = Files.writeString(dir.resolve("pin"), pin + "\n");
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    }

    /** What SoftHSM2's own tool shows of every object in its store. */
    static String dump() throws IOException {
        StringBuilder all = new StringBuilder();
        try (Stream<Path> files = Files.walk(store())) {
            for (Path file : files.filter(f -> f.toString().endsWith(".object")).toList()) {
                Process tool = new ProcessBuilder("softhsm2-dump-file", file.toString()).start();
                all.append(new String(tool.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1));
            }
        }
        return all.toString();
    }

    static void delete(Path tree) throws IOException {
        if (!Files.exists(tree)) {
            return;
        }
        List<Path> paths;
        try (Stream<Path> found = Files.walk(tree)) {
            paths = found.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : paths) {
            Files.delete(path);
        }
    }

    private static void run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(out).isZero();
    }
}
