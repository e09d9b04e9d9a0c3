package dev.holdfast.fleet.cli;

import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.fleet.VerifierKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Where the signed result goes. */
final class ResultOptions {
    @Option(
            names = "--ear",
            paramLabel = "FILE",
            description = "Where to write the result as a JWT signed by the verifier's key (EAR); fleet verifier prints"
                    + " the key that checks it.")
    Optional<Path> jwt = Optional.empty();

    @Option(names = "--ear-cwt", paramLabel = "FILE", description = "The same as a CWT.")
    Optional<Path> cwt = Optional.empty();

    boolean isGiven() {
        return jwt.isPresent() || cwt.isPresent();
    }

    void write(AttestationResult result, VerifierKey key) throws IOException {
        if (jwt.isPresent()) {
            Files.writeString(jwt.get(), key.jwt(result) + "\n", StandardCharsets.US_ASCII);
        }
        if (cwt.isPresent()) {
            Files.write(cwt.get(), key.cwt(result));
        }
    }
}
