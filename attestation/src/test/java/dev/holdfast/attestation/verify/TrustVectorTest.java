package dev.holdfast.attestation.verify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Appraisal.Check;
import dev.holdfast.attestation.verify.Appraisal.Outcome;
import dev.holdfast.attestation.verify.TrustVector.Claim;
import dev.holdfast.attestation.verify.TrustVector.Row;
import dev.holdfast.attestation.verify.TrustVector.Tier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The numbers of the vector are those of the page, and each is true of what was shown. */
class TrustVectorTest {
    private static final Path PAGE = Path.of("../docs/protocol/evidence-and-policy.md");
    private static final Pattern ROW =
            Pattern.compile("\\| `([a-zA-Z-]+)` \\| ([a-z-]+) \\| (-?\\d+) \\| (-?\\d+) \\| (-?\\d+) \\| .+ \\|");

    /** What AR4SI (3.1.4) has for each claim; beyond them -1 and the verifier's own below zero. */
    private static final String DRAFT = "instance-identity 0 1 2 96 97 99; configuration 0 1 2 3 32 96 99;"
            + " executables 0 1 2 3 32 33 96 99; file-system 0 1 2 32 96 99; hardware 0 1 2 32 96 97 99;"
            + " runtime-opaque 0 1 2 32 96 99; storage-opaque 0 1 2 32 96 99; sourced-data 0 1 2 32 96 99";

    private static Check check(String name, Outcome outcome) {
        return outcome == Outcome.PASSED
                ? Check.passed(name, "holds")
                : Check.failed(name, outcome, Code.ATT_FORMAT, "does not hold");
    }

    private static TrustVector vector(Assurance granted, Check... checks) {
        return TrustVector.of(List.of(checks), granted);
    }

    @Test
    void thePageHasTheSameTable() throws IOException {
        List<Row> rows = new ArrayList<>();
        Matcher line = ROW.matcher(Files.readString(PAGE));
        while (line.find()) {
            Claim claim = Stream.of(Claim.values())
                    .filter(one -> one.word().equals(line.group(2)))
                    .findFirst()
                    .orElseThrow();
            rows.add(new Row(
                    line.group(1),
                    claim,
                    Integer.parseInt(line.group(3)),
                    Integer.parseInt(line.group(4)),
                    Integer.parseInt(line.group(5))));
        }
        assertThat(rows).containsExactlyElementsOf(TrustVector.TABLE);
    }

    @Test
    void everyNumberIsOneOfTheDraftsOrMarkedAsOurOwn() {
        for (Row row : TrustVector.TABLE) {
            String known = Stream.of(DRAFT.split("; ?"))
                    .filter(line -> line.startsWith(row.claim().word() + " "))
                    .findFirst()
                    .orElseThrow();
            for (Outcome outcome : Outcome.values()) {
                int value = row.value(outcome);
                assertThat(value < -1 || List.of(known.split(" ")).contains(String.valueOf(value)))
                        .as(row.check() + " " + outcome + ": " + value)
                        .isTrue();
                assertThat(value).as("eight bits").isBetween(-128, 127);
            }
        }
    }

    @Test
    void aCheckNeverAffirmsWhereItDoesNotHoldNorWarnsWhereItDoes() {
        for (Row row : TrustVector.TABLE) {
            assertThat(Tier.of(row.passed())).as(row.check()).isIn(Tier.NONE, Tier.AFFIRMING);
            assertThat(Tier.of(row.warning())).as(row.check()).isIn(Tier.NONE, Tier.WARNING);
            assertThat(Tier.of(row.refused())).as(row.check()).isIn(Tier.NONE, Tier.CONTRAINDICATED);
        }
    }

    @Test
    void nothingWasShownAndNothingIsSaid() {
        TrustVector vector = vector(Assurance.HARDWARE);
        for (Claim claim : Claim.values()) {
            assertThat(vector.value(claim)).as(claim.word()).isZero();
        }
    }

    @Test
    void aFileOrAnEmulatorIsNeitherHardwareNorOneInstance() {
        Check[] all = TrustVector.TABLE.stream()
                .map(row -> check(row.check().replace("-N", "-0"), Outcome.PASSED))
                .toArray(Check[]::new);
        for (Assurance granted : Assurance.values()) {
            TrustVector vector = vector(granted, all);
            int expected = granted == Assurance.FIRMWARE || granted == Assurance.HARDWARE ? 2 : 0;
            assertThat(vector.value(Claim.HARDWARE)).as(granted.name()).isEqualTo(expected);
            assertThat(vector.value(Claim.INSTANCE_IDENTITY)).as(granted.name()).isEqualTo(expected);
            assertThat(vector.value(Claim.RUNTIME_OPAQUE)).isZero();
            assertThat(vector.value(Claim.STORAGE_OPAQUE)).isZero();
            assertThat(vector.value(Claim.SOURCED_DATA)).isZero();
            assertThat(vector.value(Claim.FILE_SYSTEM)).isZero();
        }
    }

    @Test
    void onlyAMeasuredBootThatThePolicyAskedForSaysWhatWasLoaded() {
        Check models = check("reference", Outcome.PASSED);
        Check[] boot = {
            models, check("pcr-0", Outcome.PASSED), check("pcr-2", Outcome.PASSED), check("pcr-4", Outcome.PASSED)
        };
        assertThat(vector(Assurance.HARDWARE, models).value(Claim.EXECUTABLES)).isEqualTo(-2);
        assertThat(vector(Assurance.HARDWARE, boot).value(Claim.EXECUTABLES)).isEqualTo(3);
        assertThat(vector(Assurance.SOFTWARE, boot).value(Claim.EXECUTABLES)).isEqualTo(-2);
        assertThat(vector(Assurance.HARDWARE, models, boot[1], boot[2]).value(Claim.EXECUTABLES))
                .isEqualTo(-2);
    }

    @Test
    void theWorstTierCountsAndInItTheDraftsOwnNumber() {
        Check passed = check("sandbox", Outcome.PASSED);
        Check weak = check("sandbox", Outcome.WARNING);
        Check unshown = check("serving", Outcome.WARNING);
        Check wrong = check("agent", Outcome.REFUSED);
        assertThat(vector(Assurance.HARDWARE, passed, unshown).value(Claim.CONFIGURATION))
                .isEqualTo(-33);
        assertThat(vector(Assurance.HARDWARE, unshown, weak, passed).value(Claim.CONFIGURATION))
                .isEqualTo(32);
        assertThat(vector(Assurance.HARDWARE, wrong, weak, unshown).value(Claim.CONFIGURATION))
                .isEqualTo(96);
        assertThat(vector(Assurance.HARDWARE, check("log", Outcome.REFUSED), check("reference", Outcome.REFUSED))
                        .value(Claim.EXECUTABLES))
                .isEqualTo(99);
    }

    @Test
    void everyCheckThatStepsMakeHasARow() throws IOException {
        Pattern made = Pattern.compile("checks\\s*\\.(?:require|refuse|weaken|pass)\\(\\s*\"([a-z-]+)\"");
        TreeSet<String> names = new TreeSet<>();
        try (Stream<Path> files = Files.list(Path.of("src/main/java/dev/holdfast/attestation/verify"))) {
            for (Path file : files.toList()) {
                Matcher name = made.matcher(Files.readString(file));
                while (name.find()) {
                    names.add(name.group(1));
                }
            }
        }
        assertThat(names).hasSizeGreaterThan(20);
        names.forEach(name -> assertThat(TrustVector.row(name.endsWith("-") ? name + "7" : name))
                .as(name)
                .isNotEqualTo(Optional.empty()));
    }
}
