package dev.holdfast.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageVerifierTest {
    @TempDir
    Path folder;

    private final SampleImage sample = new SampleImage();

    private ReleaseKey key() throws RejectedException {
        return ReleaseKey.fromPem(sample.pem()).orThrow();
    }

    private Code refusal() throws IOException, RejectedException {
        return refusal(key());
    }

    private Code refusal(ReleaseKey key) throws IOException {
        return switch (ImageVerifier.verify(folder, key)) {
            case Verdict.Accepted<VerifiedImage> accepted -> throw new AssertionError("accepted: " + accepted);
            case Verdict.Rejected<VerifiedImage> rejected -> rejected.reason().code();
        };
    }

    private List<Path> blobs() throws IOException {
        try (Stream<Path> files = Files.list(folder.resolve("blobs/sha256"))) {
            return files.sorted().toList();
        }
    }

    @Test
    void saysWhoBuiltWhatFromWhichCommit() throws Exception {
        Descriptor image = sample.write(folder);
        VerifiedImage verified = ImageVerifier.verify(folder, key()).orThrow();
        assertThat(verified.digest()).isEqualTo(image.digest());
        assertThat(verified.signer()).isEqualTo(key().fingerprint());
        assertThat(verified.provenance()).isEqualTo(SampleImage.provenance(image.digest()));
        assertThat(verified.components()).isEqualTo(2);
        assertThat(verified.layers()).isEqualTo(1);
        assertThat(verified.created()).isEqualTo("2026-11-30T12:00:00Z");
    }

    /** Whatever byte of whatever blob is another one. */
    @Test
    void refusesAChangeOfAnyBlob() throws Exception {
        sample.write(folder);
        List<Path> read = blobs();
        assertThat(read).hasSize(11);
        for (Path blob : read) {
            byte[] bytes = Files.readAllBytes(blob);
            for (int at : new int[] {0, bytes.length / 2, bytes.length - 1}) {
                byte[] changed = bytes.clone();
                changed[at] ^= 1;
                Files.write(blob, changed);
                assertThat(refusal()).as("%s at %d", blob, at).isEqualTo(Code.IMG_DIGEST);
            }
            Files.write(blob, new byte[bytes.length + 1]);
            assertThat(refusal()).as("longer: %s", blob).isEqualTo(Code.IMG_DIGEST);
            Files.delete(blob);
            assertThat(refusal()).as("without %s", blob).isEqualTo(Code.IMG_DIGEST);
            Files.write(blob, bytes);
        }
        assertThat(ImageVerifier.verify(folder, key()).isAccepted()).isTrue();
    }

    @Test
    void refusesAnImageThatNobodySigned() throws Exception {
        sample.write(folder, (writer, image) -> {
            writer.provenance(image, SampleImage.provenance(image.digest()), Optional.empty());
            writer.bill(image, SampleImage.BILL);
        });
        assertThat(refusal()).isEqualTo(Code.IMG_UNSIGNED);
    }

    @Test
    void refusesTheSignatureOfAnotherKey() throws Exception {
        sample.write(folder);
        assertThat(refusal(ReleaseKey.fromPem(new SampleImage().pem()).orThrow()))
                .isEqualTo(Code.IMG_SIGNATURE);
    }

    /** A payload that the key did sign, under an image that it did not. */
    @Test
    void refusesTheSignatureOfAnotherImage() throws Exception {
        byte[] payload = new SimpleSigning(Sha256.of(new byte[] {7})).toBytes("sample");
        Descriptor image = sample.write(folder, (writer, at) -> {
            writer.provenance(at, SampleImage.provenance(at.digest()), Optional.of(sample::sign));
            writer.bill(at, SampleImage.BILL);
        });
        Descriptor layer = put(MediaTypes.SIMPLE_SIGNING, payload)
                .annotated(Map.of(SimpleSigning.SIGNATURE, Base64.getEncoder().encodeToString(sample.sign(payload))));
        Manifest signature = new Manifest(
                MediaTypes.COSIGN_SIGNATURE,
                put(MediaTypes.EMPTY, "{}".getBytes(StandardCharsets.UTF_8)),
                List.of(layer),
                Optional.of(image),
                Collections.emptySortedMap());
        index(put(MediaTypes.MANIFEST, signature.toBytes()));
        assertThat(refusal()).isEqualTo(Code.IMG_SIGNATURE);
    }

    private Descriptor put(String mediaType, byte[] bytes) throws IOException {
        Descriptor blob = Descriptor.of(mediaType, bytes);
        Files.write(folder.resolve("blobs/sha256").resolve(blob.digest().hex()), bytes);
        return blob;
    }

    /** Adds a manifest to the index. */
    private void index(Descriptor more) throws IOException {
        Path index = folder.resolve("index.json");
        String text = Files.readString(index);
        Files.writeString(index, text.replaceFirst("]}$", "," + more.toJson() + "]}"));
    }

    @Test
    void refusesTheProvenanceOfAnotherImage() throws Exception {
        provenance((image, writer) ->
                writer.provenance(image, SampleImage.provenance(Sha256.of(new byte[] {7})), Optional.of(sample::sign)));
        assertThat(refusal()).isEqualTo(Code.IMG_PROVENANCE);
    }

    @Test
    void refusesTheProvenanceThatAnotherKeySigned() throws Exception {
        SampleImage other = new SampleImage();
        provenance((image, writer) ->
                writer.provenance(image, SampleImage.provenance(image.digest()), Optional.of(other::sign)));
        assertThat(refusal()).isEqualTo(Code.IMG_PROVENANCE);
    }

    @Test
    void refusesAnImageWithoutSignedProvenance() throws Exception {
        provenance(
                (image, writer) -> writer.provenance(image, SampleImage.provenance(image.digest()), Optional.empty()));
        assertThat(refusal()).isEqualTo(Code.IMG_PROVENANCE);
    }

    @FunctionalInterface
    private interface Provenances {
        void attach(Descriptor image, ImageWriter writer) throws IOException;
    }

    private void provenance(Provenances provenances) throws IOException {
        sample.write(folder, (writer, image) -> {
            writer.signature(image, "sample", sample::sign);
            provenances.attach(image, writer);
            writer.bill(image, SampleImage.BILL);
        });
    }

    @Test
    void refusesABillOfMaterialsThatTheProvenanceDoesNotName() throws Exception {
        sample.write(folder, (writer, image) -> {
            writer.signature(image, "sample", sample::sign);
            writer.provenance(image, SampleImage.provenance(image.digest()), Optional.of(sample::sign));
            writer.bill(image, "{\"bomFormat\":\"CycloneDX\"}".getBytes(StandardCharsets.UTF_8));
        });
        assertThat(refusal()).isEqualTo(Code.IMG_PROVENANCE);
    }

    @Test
    void refusesASecondImage() throws Exception {
        sample.write(folder);
        byte[] other = new Manifest(
                        "",
                        put(MediaTypes.CONFIG, new byte[] {'{', '}'}),
                        List.of(),
                        Optional.empty(),
                        Collections.emptySortedMap())
                .toBytes();
        index(put(MediaTypes.MANIFEST, other));
        assertThat(refusal()).isEqualTo(Code.IMG_FORMAT);
    }

    @Test
    void followsNoLink() throws Exception {
        sample.write(folder);
        Path blob = blobs().getFirst();
        Files.move(blob, folder.resolve("elsewhere"));
        Files.createSymbolicLink(blob, folder.resolve("elsewhere"));
        assertThat(refusal()).isEqualTo(Code.IMG_DIGEST);
    }

    @Test
    void refusesWhatIsNoLayout() throws Exception {
        assertThat(refusal()).isEqualTo(Code.IMG_FORMAT);
        sample.write(folder);
        Files.writeString(folder.resolve("oci-layout"), "{\"imageLayoutVersion\":\"2.0.0\"}");
        assertThat(refusal()).isEqualTo(Code.IMG_FORMAT);
    }

    /** What promises three gigabytes takes no memory for them. */
    @Test
    void refusesALengthThatItsKindDoesNotHave() throws Exception {
        sample.write(folder);
        Path index = folder.resolve("index.json");
        Files.writeString(index, Files.readString(index).replaceFirst("\"size\":\\d+", "\"size\":3000000000"));
        assertThat(refusal()).isEqualTo(Code.IMG_FORMAT);
        Files.writeString(index, " ".repeat(Manifest.MAX_BYTES + 1));
        assertThat(refusal()).isEqualTo(Code.IMG_FORMAT);
    }

    @Test
    void takesP256Alone() {
        for (String pem : List.of(
                new SampleImage("secp384r1").pem(),
                "",
                "-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----",
                sample.pem().replace("PUBLIC", "PRIVATE"),
                sample.pem() + sample.pem())) {
            assertThat(ReleaseKey.fromPem(pem))
                    .as(pem)
                    .isInstanceOfSatisfying(
                            Verdict.Rejected.class,
                            refused -> assertThat(refused.reason().code()).isEqualTo(Code.IMG_KEY));
        }
    }

    @Test
    void theSameInputGivesTheSameBytes() throws Exception {
        Path other = folder.resolve("other");
        for (Path each : List.of(folder.resolve("one"), other)) {
            sample.write(each, (writer, image) -> {
                writer.provenance(image, SampleImage.provenance(image.digest()), Optional.empty());
                writer.bill(image, SampleImage.BILL);
            });
        }
        Map<String, Sha256> first = new TreeMap<>();
        try (Stream<Path> files = Files.walk(folder.resolve("one"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                first.put(folder.resolve("one").relativize(file).toString(), Sha256.ofFile(file));
            }
        }
        assertThat(first).hasSizeGreaterThan(8);
        for (var each : first.entrySet()) {
            assertThat(Sha256.ofFile(other.resolve(each.getKey())))
                    .as(each.getKey())
                    .isEqualTo(each.getValue());
        }
    }

    /** The steps that cosign's documentation gives for people who have no cosign. */
    @Test
    void opensslVerifiesWhatCosignWould() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/openssl")), "openssl is not installed");
        Descriptor image = sample.write(folder);
        ImageLayout layout = ImageLayout.open(folder);
        Descriptor at = layout.manifests().stream()
                .filter(each -> each.annotation("org.opencontainers.image.ref.name")
                        .equals("sha256-" + image.digest().hex() + ".sig"))
                .findFirst()
                .orElseThrow();
        assertThat(at.annotation("kind")).isEqualTo("dev.cosignproject.cosign/sigs");
        Descriptor layer =
                Manifest.read(layout.read(at, Manifest.MAX_BYTES)).layers().getFirst();
        assertThat(layer.mediaType()).isEqualTo("application/vnd.dev.cosign.simplesigning.v1+json");
        Path payload = folder.resolve("blobs/sha256").resolve(layer.digest().hex());
        assertThat(Files.readString(payload))
                .isEqualTo(
                        "{\"critical\":{\"identity\":{\"docker-reference\":\"sample\"},\"image\":{\"docker-manifest-digest\":"
                                + "\"sha256:" + image.digest()
                                + "\"},\"type\":\"cosign container image signature\"},\"optional\":null}");
        Path signature = Files.write(
                folder.resolve("sig"),
                Base64.getDecoder().decode(layer.annotation("dev.cosignproject.cosign/signature")));
        Path key = Files.writeString(folder.resolve("key.pem"), sample.pem());
        Process openssl = new ProcessBuilder(
                        "openssl",
                        "dgst",
                        "-sha256",
                        "-verify",
                        key.toString(),
                        "-signature",
                        signature.toString(),
                        payload.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(openssl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(openssl.waitFor()).as(said).isZero();
    }
}
