package dev.holdfast.packaging;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SchemaLocation;
import com.networknt.schema.SpecVersion;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The packages of this tree, built twice. */
@Tag("full")
class PackagesTest {
    private static final long MIB = 1 << 20;

    @TempDir
    static Path folder;

    @BeforeAll
    static void buildTwice() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/dpkg-deb")), "dpkg-deb is not installed");
        assumeTrue(Files.exists(Path.of("target/bom.json")), "the tree is not packaged: mvn package");
        for (String name : List.of("one", "two")) {
            build(folder.resolve(name));
        }
    }

    private static void build(Path out) throws Exception {
        ProcessBuilder builder = new ProcessBuilder("./build.sh", out.toString()).inheritIO();
        builder.environment().put("HOLDFAST_JDK", System.getProperty("java.home"));
        // Not that of the last commit: somebody may make one while the second is built.
        builder.environment().put("SOURCE_DATE_EPOCH", "1764547200");
        Process process = builder.start();
        assertThat(process.waitFor(20, TimeUnit.MINUTES)).isTrue();
        assertThat(process.exitValue()).isZero();
    }

    private static SortedMap<String, Path> packages(String run) throws IOException {
        SortedMap<String, Path> all = new TreeMap<>();
        try (Stream<Path> files = Files.list(folder.resolve(run))) {
            files.forEach(file -> all.put(String.valueOf(file.getFileName()).replaceAll("_.*", ""), file));
        }
        return all;
    }

    private static String dpkg(String option, Path file) throws Exception {
        Process process = new ProcessBuilder("dpkg-deb", option, file.toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
        return said;
    }

    @Test
    void theSameInputGivesTheSameBytes() throws Exception {
        SortedMap<String, Path> first = packages("one");
        assertThat(first.keySet()).containsExactly("holdfast", "holdfast-fleet", "holdfast-runtime");
        for (var each : packages("two").entrySet()) {
            assertThat(Files.mismatch(each.getValue(), requireNonNull(first.get(each.getKey()))))
                    .as(each.getKey())
                    .isEqualTo(-1);
        }
    }

    @Test
    void noneIsLargerThanItMayBe() throws Exception {
        SortedMap<String, Path> all = packages("one");
        assertThat(Files.size(requireNonNull(all.get("holdfast-runtime")))).isLessThanOrEqualTo(25 * MIB);
        assertThat(Files.size(requireNonNull(all.get("holdfast")))).isLessThanOrEqualTo(12 * MIB);
        assertThat(Files.size(requireNonNull(all.get("holdfast-fleet")))).isLessThanOrEqualTo(15 * MIB);
    }

    /** By the schema that CycloneDX publishes. */
    @Test
    void theirBillsOfMaterialsAreOnesByTheOfficialSchema() throws Exception {
        JsonSchema schema = JsonSchemaFactory.getInstance(
                        SpecVersion.VersionFlag.V7,
                        builder -> builder.schemaMappers(
                                mappers -> mappers.mapPrefix("http://cyclonedx.org/schema/", "classpath:")))
                .getSchema(SchemaLocation.of("classpath:bom-1.6.schema.json"));
        Path tree = folder.resolve("bills");
        for (var each : packages("one").entrySet()) {
            unpack(each.getValue(), tree.resolve(each.getKey()));
            try (Stream<Path> files = Files.walk(tree.resolve(each.getKey()))) {
                Path bill = files.filter(file -> file.endsWith(BillOfMaterials.FILE))
                        .findFirst()
                        .orElseThrow();
                ObjectNode document = (ObjectNode) new ObjectMapper().readTree(Files.readAllBytes(bill));
                assertThat(schema.validate(document)).as(each.getKey()).isEmpty();
                document.put("specVersion", 16);
                assertThat(schema.validate(document))
                        .as("what the schema refuses")
                        .isNotEmpty();
            }
        }
    }

    private static void unpack(Path file, Path tree) throws Exception {
        assertThat(new ProcessBuilder("dpkg-deb", "-x", file.toString(), tree.toString())
                        .start()
                        .waitFor())
                .isZero();
    }

    /** What the poms leave out of libraries is missed by none: each program is started, and the servers are asked something. */
    @Test
    void everyProgramStartsFromThePackages() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/curl")), "curl is not installed");
        Path tree = folder.resolve("installed");
        for (Path file : packages("one").values()) {
            unpack(file, tree);
        }
        Path lib = tree.resolve("usr/lib");
        // Each runs, and ends well enough to leave its cache.
        for (String line : List.of(
                "HOLDFAST_PROGRAM=usr/bin/holdfast usr/lib/holdfast/start-caches agent inference cli model",
                "HOLDFAST_PROGRAM=usr/bin/fleet usr/lib/holdfast-fleet/start-caches fleet publish")) {
            assertThat(shell(tree, line)).as(line).isEmpty();
        }
        for (String cache : List.of("agent/start", "inference/start", "cli/start", "cli/model")) {
            assertThat(lib.resolve("holdfast/lib/" + cache + ".aot")).exists();
        }
        for (String cache : List.of("fleet/start", "fleet/publish")) {
            assertThat(lib.resolve("holdfast-fleet/lib/" + cache + ".aot")).exists();
        }
        String asked = shell(tree, """
                export HOLDFAST_HOME=usr/lib/holdfast
                wait_for() { for i in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; echo "not within 30 s: $*"; }
                usr/bin/holdfast standalone --model usr/lib/holdfast/start.gguf --socket "$PWD/one.sock" >one.log 2>&1 &
                wait_for test -S one.sock
                usr/bin/holdfast bridge --port 0 --no-token --socket "$PWD/one.sock" >bridge.log 2>&1 &
                wait_for grep -q 'http://127.0.0.1:[1-9]' bridge.log
                port=$(sed -n 's|.*http://127.0.0.1:\\([0-9]*\\).*|\\1|p' bridge.log | head -n 1)
                question='{"messages":[{"role":"user","content":"light"}],"max_tokens":4}'
                curl -sS --unix-socket one.sock http://x/v1/chat/completions -H 'Content-Type: application/json' -d "$question"
                curl -sS --unix-socket one.sock http://x/metrics | grep -c '^gen_ai_server_request_duration_seconds_bucket'
                curl -sS "http://127.0.0.1:$port/v1/chat/completions" -H 'Content-Type: application/json' -d "$question"
                kill $(jobs -p); wait
                cat one.log bridge.log
                """);
        assertThat(asked).doesNotContain("NoClassDefFoundError", "ClassNotFoundException", "not within");
        assertThat(asked.split("\"finish_reason\"", -1)).as(asked).hasSizeGreaterThan(2);
    }

    private static String shell(Path place, String line) throws Exception {
        Process process = new ProcessBuilder("bash", "-c", line)
                .directory(place.toFile())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(5, TimeUnit.MINUTES)).isTrue();
        return said;
    }

    /** The claim that the agent parses no model holds by what it can load. */
    @Test
    void eachProgramReachesItsOwnJarsAlone() throws Exception {
        List<String> lines = dpkg("-c", requireNonNull(packages("one").get("holdfast")))
                .lines()
                .toList();
        assertThat(lines).anyMatch(line -> line.contains("/lib/agent/holdfast-agent-"));
        assertThat(lines)
                .noneMatch(line -> line.matches(".*/lib/agent/holdfast-(engine|inference)-.*"))
                .noneMatch(
                        line -> line.matches(".*/lib/inference/holdfast-(trust|link|tee-bridge|attestation|agent)-.*"))
                .noneMatch(line ->
                        line.matches(".*/lib/bridge/holdfast-(trust|link|tee-bridge|attestation|agent|engine)-.*"));
        assertThat(lines.stream()
                        .filter(line -> line.startsWith("-") && line.matches(".*/jars/[^ ]+\\.jar"))
                        .map(line -> line.replaceAll(".*/", "")))
                .doesNotHaveDuplicates();
    }

    @Test
    void everyFileIsRootsAndOfTheTimeOfTheCommit() throws Exception {
        for (Path file : packages("one").values()) {
            List<String> lines = dpkg("-c", file).lines().toList();
            assertThat(lines).allMatch(line -> line.contains(" root/root "));
            assertThat(lines.stream()
                            .map(line -> line.replaceAll(".* (\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d) .*", "$1"))
                            .distinct())
                    .hasSize(1);
        }
    }

    @Test
    void whatIsShippedIsNamedWithItsLicence() throws Exception {
        for (String name : List.of("holdfast", "holdfast-fleet")) {
            Path tree = folder.resolve("tree-" + name);
            assertThat(new ProcessBuilder(
                                    "dpkg-deb",
                                    "-x",
                                    requireNonNull(packages("one").get(name)).toString(),
                                    tree.toString())
                            .start()
                            .waitFor())
                    .isZero();
            Path doc = tree.resolve("usr/share/doc").resolve(name);
            String bill = Files.readString(doc.resolve(BillOfMaterials.FILE));
            String copyright = Files.readString(doc.resolve("copyright"));
            try (Stream<Path> jars =
                    Files.list(tree.resolve("usr/lib").resolve(name).resolve("jars"))) {
                assertThat(jars.toList()).isNotEmpty().allSatisfy(jar -> {
                    assertThat(copyright).contains("/jars/" + jar.getFileName() + "\n");
                    assertThat(bill).contains(jar.getFileName().toString().replaceAll("-\\d.*", ""));
                });
            }
            assertThat(copyright).doesNotContain("License: unknown");
        }
    }
}
