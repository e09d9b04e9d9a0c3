package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.Cose;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.P256;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.interfaces.ECPublicKey;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/**
 * The verifier's key: two keys in {@code verifier/}, apart from those that sign what devices believe. It says that this verifier
 * appraised; no device accepts anything by it. The ECDSA key alone signs attestation results, which many readers know to check; both
 * sign archives, which have to hold for years. Made by {@code fleet init}, and where an older fleet has none by the first need.
 */
public final class VerifierKey {
    private static final Base64.Encoder URL = Base64.getUrlEncoder().withoutPadding();

    private final SigningKey ecdsa;
    private final SigningKey lattice;

    private VerifierKey(SigningKey ecdsa, SigningKey lattice) {
        this.ecdsa = ecdsa;
        this.lattice = lattice;
    }

    private static Path file(FleetDirectory directory, KeyKind kind) {
        return directory
                .verifier()
                .resolve(kind == KeyKind.ECDSA_P256 ? "verifier-ecdsa-p256.pem" : "verifier-ml-dsa-65.pem");
    }

    /** Opens the key, and makes it where the fleet has none; {@code FLT-ABSENT} where there is no fleet. */
    public static VerifierKey open(FleetDirectory directory) throws IOException, RejectedException {
        directory.config();
        Optional<VerifierKey> known = find(directory);
        return known.isPresent() ? known.get() : directory.exclusively(() -> make(directory));
    }

    /** The key, if the fleet has one. */
    public static Optional<VerifierKey> find(FleetDirectory directory) throws IOException {
        Path last = file(directory, KeyKind.ML_DSA_65);
        return Files.isReadable(last)
                ? Optional.of(new VerifierKey(
                        SigningKey.load(KeyKind.ECDSA_P256, file(directory, KeyKind.ECDSA_P256)),
                        SigningKey.load(KeyKind.ML_DSA_65, last)))
                : Optional.empty();
    }

    /** Where two come at once the second finds what the first made; where the power went, both keys are made anew. */
    static VerifierKey make(FleetDirectory directory) throws IOException, RejectedException {
        Optional<VerifierKey> known = find(directory);
        if (known.isPresent()) {
            return known.get();
        }
        if (Files.exists(file(directory, KeyKind.ML_DSA_65))) {
            throw new RejectedException(Code.FLT_IO, "the verifier's key cannot be read: " + directory.verifier());
        }
        Disk.LOCAL.createDirectories(directory.verifier());
        Files.setPosixFilePermissions(directory.verifier(), PosixFilePermissions.fromString("rwx------"));
        VerifierKey fresh =
                new VerifierKey(SigningKey.generate(KeyKind.ECDSA_P256), SigningKey.generate(KeyKind.ML_DSA_65));
        Files.deleteIfExists(file(directory, KeyKind.ECDSA_P256));
        fresh.ecdsa.save(file(directory, KeyKind.ECDSA_P256));
        fresh.lattice.save(file(directory, KeyKind.ML_DSA_65));
        return fresh;
    }

    /** The public half, by whose id an auditor knows this verifier. */
    public VerifierId publicHalf() {
        return new VerifierId(List.of(ecdsa.publicKey(), lattice.publicKey()));
    }

    private Sha256 keyId() {
        return P256.thumbprint((ECPublicKey) ecdsa.publicKey().key());
    }

    /** A JWT (RFC 7519) with the claims of the result, by ES256; {@code kid} is the key's thumbprint (RFC 9679) in hexadecimal. */
    public String jwt(AttestationResult result) {
        ObjectNode header =
                Json.object().put("alg", "ES256").put("kid", keyId().hex()).put("typ", "eat+jwt");
        String signed = URL.encodeToString(Json.write(header)) + "." + URL.encodeToString(Json.write(result.toJson()));
        byte[] signature = ecdsa.signEs256(Sha256.of(signed.getBytes(StandardCharsets.US_ASCII)));
        return signed + "." + URL.encodeToString(signature);
    }

    /** A CWT (RFC 8392) with the same claims, by ES256. */
    public byte[] cwt(AttestationResult result) {
        return Cose.sign(keyId(), Binary.copyOf(CborWriter.write(result.toCbor())), ecdsa::signEs256);
    }

    /** What signs archives. */
    public RoleSigner archives() {
        List<SigningKey> keys = new ArrayList<>(List.of(ecdsa, lattice));
        return new RoleSigner(keys, keys.size());
    }
}
