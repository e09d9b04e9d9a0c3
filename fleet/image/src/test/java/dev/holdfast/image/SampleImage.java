package dev.holdfast.image;

import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A small image with a key of releases of its own. */
final class SampleImage {
    static final byte[] BILL =
            "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"
                    .getBytes(StandardCharsets.UTF_8);

    private final KeyPair pair;

    SampleImage() {
        this("secp256r1");
    }

    SampleImage(String curve) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec(curve));
            pair = generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    String pem() {
        return "-----BEGIN PUBLIC KEY-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'})
                        .encodeToString(pair.getPublic().getEncoded())
                + "\n-----END PUBLIC KEY-----\n";
    }

    byte[] sign(byte[] message) {
        try {
            Signature signing = Signature.getInstance("SHA256withECDSA");
            signing.initSign(pair.getPrivate());
            signing.update(message);
            return signing.sign();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What changes a part before it is written. */
    @FunctionalInterface
    interface Parts {
        void attach(ImageWriter writer, Descriptor image) throws IOException;
    }

    /** The image and the parts that are named. */
    Descriptor write(Path folder, Parts parts) throws IOException {
        Files.createDirectories(folder);
        Path tar = Files.write(folder.resolve("layer.tar"), new byte[20_000]);
        ImageWriter writer = new ImageWriter(folder);
        List<ImageWriter.Layer> layers = List.of(writer.layer(tar));
        Files.delete(tar);
        Descriptor image = writer.image(
                Json.object().put("architecture", "amd64").put("os", "linux"),
                layers,
                Map.of("org.opencontainers.image.created", "2026-11-30T12:00:00Z"),
                "1.0.0");
        parts.attach(writer, image);
        writer.finish();
        return image;
    }

    /** Signature, provenance and bill of materials, as a release has them. */
    Descriptor write(Path folder) throws IOException {
        return write(folder, (writer, image) -> {
            writer.signature(image, "sample", this::sign);
            writer.provenance(image, provenance(image.digest()), Optional.of(this::sign));
            writer.bill(image, BILL);
        });
    }

    static Provenance provenance(Sha256 image) {
        return new Provenance(
                "sample",
                "1.0.0",
                "amd64",
                image,
                "https://builder.example/1",
                "https://code.example/holdfast",
                "0123456789abcdef0123456789abcdef01234567",
                false,
                List.of(new Provenance.Material(
                        "pkg:deb/debian/libc6@2.36?arch=amd64",
                        Sha256.of(new byte[1]).hex())),
                Sha256.of(BILL));
    }
}
