package dev.holdfast.agent;

import dev.holdfast.storage.Disk;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.List;
import java.util.Optional;

/**
 * What provisioning writes down about the root of trust, in the state directory. Only the agent's user reads it.
 *
 * @param dir the state directory
 */
record TeeFiles(Path dir) {
    private static final int AUTHORIZATION_BYTES = 32;
    private static final int MAX_TEXT_BYTES = 256;
    private static final SecureRandom RANDOM = new SecureRandom();

    private Path authorizationFile() {
        return dir.resolve("tpm.auth");
    }

    private Path endorsementFile() {
        return dir.resolve("endorsement.name");
    }

    private Path registerFile() {
        return dir.resolve("register");
    }

    static AuthValue freshAuthorization() {
        byte[] value = new byte[AUTHORIZATION_BYTES];
        RANDOM.nextBytes(value);
        value[AUTHORIZATION_BYTES - 1] |= 1; // A zero at the end would not count.
        return AuthValue.of(value);
    }

    /** What moves the TPM's counter; empty where provisioning made none. */
    AuthValue authorization() throws IOException, RejectedException {
        Optional<String> text = text(authorizationFile());
        return text.isPresent()
                ? AuthValue.of(Binary.fromHex(text.get()).orThrow().toArray())
                : AuthValue.EMPTY;
    }

    void keepAuthorization(AuthValue value) throws IOException {
        write(authorizationFile(), Binary.copyOf(value.bytes()).hex());
    }

    /** The name of the endorsement key that was there at provisioning. */
    Optional<Binary> endorsement() throws IOException, RejectedException {
        Optional<String> text = text(endorsementFile());
        return text.isPresent() ? Optional.of(Binary.fromHex(text.get()).orThrow()) : Optional.empty();
    }

    void pinEndorsement(Binary name) throws IOException {
        write(endorsementFile(), name.hex());
    }

    /** The register that provisioning chose because the usual one was in use. */
    Optional<TpmRegister> register() throws IOException {
        return text(registerFile())
                .flatMap(text -> TpmRegister.parse(text) instanceof Verdict.Accepted<TpmRegister>(TpmRegister chosen)
                        ? Optional.of(chosen)
                        : Optional.empty());
    }

    void chooseRegister(TpmRegister register) throws IOException {
        write(registerFile(), register.toString());
    }

    void remove() throws IOException {
        for (Path file : List.of(authorizationFile(), endorsementFile(), registerFile())) {
            Disk.LOCAL.deleteIfExists(file);
        }
        Disk.LOCAL.syncDirectory(dir);
    }

    private void write(Path file, String text) throws IOException {
        Disk.LOCAL.createDirectories(dir);
        Disk.LOCAL.replace(file, (text + "\n").getBytes(StandardCharsets.US_ASCII), Disk.Access.PRIVATE);
    }

    private static Optional<String> text(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        if (Files.size(file) > MAX_TEXT_BYTES) {
            throw new IOException(file + " is too long");
        }
        return Optional.of(Files.readString(file).strip());
    }
}
