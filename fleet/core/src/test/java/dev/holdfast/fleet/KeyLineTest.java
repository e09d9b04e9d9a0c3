package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.fleet.KeyLine.Listing;
import dev.holdfast.fleet.KeyLine.Problem;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Lists of keys as people, spreadsheets and makers write them. */
class KeyLineTest {
    private static final String A = "a1".repeat(32);
    private static final String B = "b2".repeat(32);

    private static Listing parse(String text) {
        return KeyLine.parse(text.getBytes(StandardCharsets.UTF_8));
    }

    private static Sha256 key(String hex) {
        try {
            return KeyLine.key(hex);
        } catch (dev.holdfast.wire.RejectedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void readsWhatSpreadsheetsWrite() {
        Listing listing = parse("\uFEFFEndorsement,Name,Grants\r\n\r\n# hall 3\r\n\""
                + A.toUpperCase(java.util.Locale.ROOT) + "\" , \"cam-7\",Hardware\r\n000b" + B + "\r\n");
        assertThat(listing.problems()).isEmpty();
        assertThat(listing.lines())
                .containsExactly(
                        new KeyLine(key(A), Optional.of("cam-7"), Optional.of(Assurance.HARDWARE), false),
                        KeyLine.accepting(key(B)));
        assertThat(parse(A).lines()).containsExactly(KeyLine.accepting(key(A)));
        assertThat(parse("").lines()).isEmpty();
    }

    @Test
    void eachLineThatIsWrongIsToldWithItsNumberAndNothingIsTaken() {
        Listing listing = parse(A + ",cam-7\n" // good
                + "12ab,cam-8\n" // too short
                + B + ",cam.8\n" // a dot
                + B + ",cam-7\n" // the name of line 1
                + A + "\n" // the key of line 1
                + "c3".repeat(32) + ",,software\n" // no grant
                + "c3".repeat(32) + ",a,firmware,x\n" // a field too much
                + "c3".repeat(32) + ";cam-9\n"
                + "\u001b[31m" + "c3".repeat(300) + "\n");
        assertThat(listing.lines()).isEmpty();
        assertThat(listing.problems()).extracting(Problem::line).containsExactly(2, 3, 4, 5, 6, 7, 8, 9);
        assertThat(listing.problems().get(0).what()).contains("\"12ab\"", "64 hexadecimal digits");
        assertThat(listing.problems().get(1).what()).contains("use cam-8");
        assertThat(listing.problems().get(2).what()).contains("name is in line 1");
        assertThat(listing.problems().get(3).what()).contains("key is in line 1");
        assertThat(listing.problems().get(4).what()).contains("\"software\"");
        assertThat(listing.problems().get(5).what()).contains("4 fields");
        assertThat(listing.problems()).noneMatch(one -> one.what().contains("\u001b"));
    }

    @Test
    void twentyProblemsAreEnough() {
        assertThat(parse("x\n".repeat(100_000)).problems()).hasSize(20);
        assertThat(parse("x".repeat(10_000_000)).problems()).hasSize(1);
    }

    @Test
    void someMutatedListsAreReadOrToldAndNeverThrow() {
        Random random = new Random(19);
        byte[] good =
                ("endorsement,name,grants\n" + A + ",cam-7,hardware\n" + B + ",,\n").getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < 20_000; i++) {
            byte[] bad = java.util.Arrays.copyOf(good, 1 + random.nextInt(good.length));
            for (int flips = random.nextInt(4); flips >= 0; flips--) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            }
            Listing listing = KeyLine.parse(bad);
            assertThat(listing.lines().isEmpty() || listing.problems().isEmpty())
                    .isTrue();
            assertThat(listing.lines()).hasSizeLessThan(4);
        }
    }

    @Test
    void whatIsWrittenIsReadAgainAndSeenByWhoeverHasItOpen(@TempDir Path dir) throws Exception {
        FleetDirectory directory = new FleetDirectory(dir);
        AcceptedKeys service = new AcceptedKeys(directory, Clock.systemUTC());
        AcceptedKeys command = new AcceptedKeys(directory, Clock.systemUTC());
        assertThat(service.find(key(A))).isEmpty();
        List<KeyLine> lines = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            lines.add(new KeyLine(
                    Sha256.of(new byte[] {(byte) i, (byte) (i >> 8)}),
                    i % 2 == 0 ? Optional.of("cam-" + i) : Optional.empty(),
                    i % 3 == 0 && i % 7 != 0 ? Optional.of(Assurance.FIRMWARE) : Optional.empty(),
                    i % 7 == 0));
        }
        assertThat(command.take(lines, "keys.csv")).isEqualTo(new AcceptedKeys.Decided(1000, 0));
        assertThat(command.take(lines, "keys.csv")).as("the same again").isEqualTo(new AcceptedKeys.Decided(0, 0));
        for (KeyLine line : lines) {
            assertThat(service.find(line.endorsement())).contains(line);
        }
        KeyLine changed = KeyLine.accepting(lines.getFirst().endorsement());
        command.decide(changed, "accept");
        assertThat(service.find(changed.endorsement())).contains(changed);
    }
}
