package dev.holdfast.tee.pkcs11;

import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;

/** Opens one token, signs, and says what came of it; exit code 1 with the reason where it cannot be opened. */
final class TokenProbe {
    private TokenProbe() {}

    public static void main(String[] args) throws RejectedException {
        try (Pkcs11Bridge bridge = Pkcs11Bridge.open(Pkcs11Uri.parse(args[0]).orThrow())) {
            DeviceSigner signer = bridge.signer().orElseThrow();
            Sha256 digest = Sha256.of("of a probe".getBytes(StandardCharsets.US_ASCII));
            System.out.println(bridge.describe());
            System.out.println("the JDK verifies: " + P256.verify(signer.publicKey(), digest, signer.sign(digest)));
            System.out.println("checks anchors: " + bridge.anchorVerifier().isPresent());
        } catch (TeeException e) {
            System.out.println(e.getMessage());
            System.exit(1);
        }
    }
}
