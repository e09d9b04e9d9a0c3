package dev.holdfast.agent;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CancellationException;
import picocli.CommandLine.Option;

/** Options of the commands that do something for good. */
final class Consent {
    private static final Set<PosixFilePermission> OTHERS = Set.of(
            PosixFilePermission.GROUP_READ,
            PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE);

    @Option(names = "--yes", description = "do it without asking")
    boolean yes;

    @Option(
            names = "--owner-password-file",
            paramLabel = "FILE",
            description =
                    "where the TPM's owner has a password: a file with it (mode 0600); asked for at a terminal otherwise")
    Optional<Path> passwordFile = Optional.empty();

    /** Who decides: options, or somebody at the terminal. */
    Given of(Operator operator) {
        return new Given(operator, yes, passwordFile);
    }

    /** What was said on the command line, and who can be asked. */
    record Given(Operator operator, boolean yes, Optional<Path> passwordFile) {
        /** For what a script may do, too: asks where somebody is there. */
        void requireUnlessScript(String question) {
            if (!yes && operator.isPresent()) {
                require(question);
            }
        }

        /** For what nobody does by accident: needs an answer, or {@code --yes}. */
        void require(String question) {
            if (yes || operator.agrees(question)) {
                return;
            }
            throw new CancellationException(
                    operator.isPresent()
                            ? "nothing was changed"
                            : "nothing was changed: without a terminal, say --yes");
        }

        /** The password of the TPM's owner; empty where it has none. */
        AuthValue ownerPassword(Provisioner provisioner) throws IOException, TeeException {
            if (!provisioner.ownerHasPassword()) {
                return AuthValue.EMPTY;
            }
            if (passwordFile.isPresent()) {
                return read(passwordFile.get());
            }
            if (!operator.isPresent()) {
                throw new TeeException(
                        Code.TEE_REFUSED,
                        "the TPM's owner has a password: put it into a file for --owner-password-file");
            }
            return operator.password("Password of the TPM's owner");
        }

        private static AuthValue read(Path file) throws IOException, TeeException {
            if (Files.getPosixFilePermissions(file).stream().anyMatch(OTHERS::contains)) {
                throw new TeeException(Code.TEE_REFUSED, file + " must be its owner's alone: chmod 0600");
            }
            if (Files.size(file) > AuthValue.MAX_BYTES + 2) {
                throw new TeeException(Code.TEE_REFUSED, file + " is longer than a password of a TPM can be");
            }
            String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
            return AuthValue.of(text.lines().findFirst().orElse(""));
        }
    }
}
