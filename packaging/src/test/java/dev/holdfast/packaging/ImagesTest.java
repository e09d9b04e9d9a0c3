package dev.holdfast.packaging;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.fleet.cli.FleetCommand;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The container images of this tree, built twice, read by others' tools, and run. */
@Tag("full")
class ImagesTest {
    private static final Path PACKAGES = Path.of("../target/packages");

    @TempDir
    static Path folder;

    @BeforeAll
    static void buildTwice() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/dpkg-deb")), "dpkg-deb is not installed");
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/openssl")), "openssl is not installed");
        assumeTrue(Files.isDirectory(PACKAGES), "there are no packages: ./dev package");
        run(Map.of(), "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at("release.key"));
        run(Map.of(), "chmod", "600", at("release.key"));
        run(Map.of(), "openssl", "pkey", "-in", at("release.key"), "-pubout", "-out", at("release.pub"));
        for (String name : List.of("one", "two")) {
            run(
                    Map.of(
                            "HOLDFAST_JDK",
                            System.getProperty("java.home"),
                            "HOLDFAST_RELEASE_KEY",
                            at("release.key"),
                            "SOURCE_DATE_EPOCH",
                            "1764547200",
                            "HOLDFAST_SIGN_UNCOMMITTED",
                            "yes"),
                    "./image.sh",
                    PACKAGES.toString(),
                    at(name));
        }
    }

    private static String at(String name) {
        return folder.resolve(name).toString();
    }

    private static boolean isThere(String... tools) {
        return Stream.of(tools)
                .allMatch(tool ->
                        Stream.of("/usr/bin", "/usr/sbin").anyMatch(place -> Files.isExecutable(Path.of(place, tool))));
    }

    /** What a command that must succeed said. */
    private static String run(Map<String, String> environment, String... words) throws Exception {
        Path said = Files.createTempFile(folder, "said", ".txt");
        ProcessBuilder builder =
                new ProcessBuilder(words).redirectErrorStream(true).redirectOutput(said.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        assertThat(process.waitFor(10, TimeUnit.MINUTES))
                .as("%s ends", words[0])
                .isTrue();
        String text = Files.readString(said, StandardCharsets.UTF_8);
        assertThat(process.exitValue())
                .as("%s: %s", String.join(" ", words), text)
                .isZero();
        return text;
    }

    private static SortedMap<String, Path> files(String run) throws IOException {
        SortedMap<String, Path> all = new TreeMap<>();
        Path root = folder.resolve(run);
        try (Stream<Path> files = Files.walk(root)) {
            files.filter(Files::isRegularFile)
                    .forEach(file -> all.put(root.relativize(file).toString(), file));
        }
        return all;
    }

    /** Signatures and all. */
    @Test
    void theSameInputGivesTheSameBytes() throws Exception {
        SortedMap<String, Path> first = files("one");
        SortedMap<String, Path> second = files("two");
        assertThat(first).hasSizeGreaterThan(20);
        assertThat(second.keySet()).isEqualTo(first.keySet());
        for (var each : second.entrySet()) {
            assertThat(Files.mismatch(each.getValue(), requireNonNull(first.get(each.getKey()))))
                    .as(each.getKey())
                    .isEqualTo(-1);
        }
    }

    private static int fleet(List<String> said, String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int exit = FleetCommand.run(new PrintWriter(out), new PrintWriter(err), args);
        said.addAll((out + "" + err).lines().toList());
        return exit;
    }

    @Test
    void theFleetVerifiesThemAndRefusesAChange() throws Exception {
        for (String name : List.of("holdfast", "holdfast-fleet")) {
            Path layout = folder.resolve("one").resolve(name);
            List<String> said = new ArrayList<>();
            assertThat(fleet(said, "image", "verify", layout.toString(), "--key", at("release.pub")))
                    .as("%s", said)
                    .isZero();
            String commit = run(Map.of(), "git", "rev-parse", "HEAD").strip();
            assertThat(String.join("\n", said)).contains("commit", commit, "pkg:deb/debian/libc6@");
        }
        Path copy = folder.resolve("copy");
        run(Map.of(), "cp", "-r", at("two/holdfast-fleet"), copy.toString());
        Path blob;
        try (Stream<Path> blobs = Files.list(copy.resolve("blobs/sha256"))) {
            blob = blobs.max(java.util.Comparator.comparingLong(
                            each -> each.toFile().length()))
                    .orElseThrow();
        }
        byte[] bytes = Files.readAllBytes(blob);
        bytes[bytes.length / 2] ^= 1;
        Files.write(blob, bytes);
        List<String> said = new ArrayList<>();
        assertThat(fleet(said, "image", "verify", copy.toString(), "--key", at("release.pub")))
                .isEqualTo(1);
        assertThat(String.join("\n", said)).contains("IMG-DIGEST");
    }

    /** Independent readers: skopeo copies by the digests, umoci unpacks by the configuration and its {@code diff_ids}. */
    @Test
    void skopeoAndUmociReadThem() throws Exception {
        assumeTrue(isThere("skopeo", "umoci"), "skopeo and umoci are not installed");
        for (String name : List.of("holdfast", "holdfast-fleet")) {
            String image = at("one/" + name) + ":0.1.0";
            assertThat(run(Map.of(), "skopeo", "inspect", "oci:" + image)).contains("\"Architecture\": \"amd64\"");
            run(Map.of(), "skopeo", "copy", "oci:" + image, "oci:" + at("copied-" + name) + ":0.1.0");
            run(Map.of(), "umoci", "unpack", "--rootless", "--image", image, at("unpacked-" + name));
            Path root = folder.resolve("unpacked-" + name).resolve("rootfs");
            assertThat(root.resolve("usr/lib/holdfast-runtime/bin/java")).isExecutable();
            assertThat(Files.readString(root.resolve("etc/passwd"))).contains("holdfast:x:10001:10001:");
        }
    }

    @Test
    void theWholeStoryRunsInContainers() throws Exception {
        assumeTrue(isThere("umoci", "runc", "swtpm", "mosquitto"), "umoci, runc, swtpm or mosquitto is not installed");
        assumeTrue(run(Map.of(), "id", "-u").strip().equals("0"), "containers take root here");
        assertThat(run(Map.of(), "./try-images", at("one"))).contains("all end by SIGTERM");
    }
}
