package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The version that was desired before goes on for as long as somebody says. */
class GraceWishTest {
    private static final String DEVICE = "device-1";
    private static final Instant START = Instant.parse("2027-01-02T03:04:05Z");
    private static final Duration WEEK = Duration.ofDays(7);
    private static final long NEXT_WEEK = START.plus(WEEK).getEpochSecond();

    @TempDir
    Path dir;

    private Instant now = START;
    private FleetRepository repository;

    private final Clock clock = new Clock() {
        @Override
        public Instant instant() {
            return now;
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }
    };

    @BeforeEach
    void publish() throws Exception {
        repository = new FleetRepository(new FleetDirectory(dir.resolve("fleet")), clock);
        repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
        for (int version = 1; version <= 3; version++) {
            publish(version + ".0.0", Optional.empty());
        }
    }

    private void publish(String version, Optional<Long> epoch) throws Exception {
        SampleRelease.sign(
                repository, "embed", version, version.getBytes(StandardCharsets.UTF_8), Json.object(), epoch);
    }

    private DesiredModels.Wish desire(String version, Optional<Duration> grace) throws Exception {
        return desire(version, Optional.empty(), grace);
    }

    private DesiredModels.Wish desire(String version, Optional<Rollout> rollout, Optional<Duration> grace)
            throws Exception {
        DesiredModels desired = DesiredModels.add(
                repository,
                DEVICE,
                "embed",
                new DesiredModels.Wish(version, rollout),
                new WishChange(false, 0, grace, WishChange.Draft.AS_BEFORE));
        assertThat(DesiredModels.read(repository.directory(), DEVICE)).contains(desired);
        return Objects.requireNonNull(desired.models().get("embed"));
    }

    @Test
    void theVersionBeforeStaysAndItsTargetIsInTheOrderWithoutPatches() throws Exception {
        desire("1.0.0", Optional.empty());
        DesiredModels.Wish wish = desire("2.0.0", Optional.of(WEEK));
        assertThat(wish.grace()).containsExactly(new GraceWish("1.0.0", NEXT_WEEK));
        DesiredModels.Content content =
                DesiredModels.read(repository.directory(), DEVICE).orElseThrow().content(repository);
        ModelTerms terms = Objects.requireNonNull(content.terms().get("embed"));
        assertThat(terms.grace()).containsExactly(new ModelTerms.Grace("models/embed/1.0.0/model.gguf", NEXT_WEEK));
        assertThat(content.files())
                .filteredOn(ModelTarget::is)
                .extracting(TargetFile::path)
                .containsExactly("models/embed/2.0.0/model.gguf", "models/embed/1.0.0/model.gguf");
        assertThat(content.files()).extracting(TargetFile::path).doesNotHaveDuplicates();
        assertThat(content.releases()).as("whose files a bundle carries").hasSize(1);
    }

    @Test
    void withoutATermNothingMoreStays() throws Exception {
        desire("1.0.0", Optional.empty());
        assertThat(desire("2.0.0", Optional.empty()).grace()).isEmpty();
    }

    @Test
    void itBeginsWhenTheLastDeviceOfARolloutDoes() throws Exception {
        desire("1.0.0", Optional.empty());
        Rollout rollout =
                new Rollout("r", START.plusSeconds(1000), Duration.ofSeconds(100), Optional.empty(), Long.MAX_VALUE);
        assertThat(desire("2.0.0", Optional.of(rollout), Optional.of(WEEK)).grace())
                .containsExactly(new GraceWish("1.0.0", NEXT_WEEK + 1100));
    }

    @Test
    void whatWasPromisedHoldsUntilItsEndWhateverIsDesiredMeanwhile() throws Exception {
        desire("1.0.0", Optional.empty());
        desire("2.0.0", Optional.of(WEEK));
        assertThat(desire("3.0.0", Optional.of(Duration.ofDays(1))).grace())
                .containsExactly(
                        new GraceWish("2.0.0", START.plus(Duration.ofDays(1)).getEpochSecond()),
                        new GraceWish("1.0.0", NEXT_WEEK));
        assertThat(desire("2.0.0", Optional.empty()).grace())
                .as("but for the one that is to serve")
                .containsExactly(new GraceWish("1.0.0", NEXT_WEEK));
        now = Instant.ofEpochSecond(NEXT_WEEK);
        assertThat(desire("2.0.0", Optional.empty()).grace()).isEmpty();
    }

    @Test
    void theSameVersionAgainMayPutItOffOrEndIt() throws Exception {
        desire("1.0.0", Optional.empty());
        desire("2.0.0", Optional.of(WEEK));
        assertThat(desire("2.0.0", Optional.of(Duration.ofDays(9))).grace())
                .containsExactly(
                        new GraceWish("1.0.0", START.plus(Duration.ofDays(9)).getEpochSecond()));
        assertThat(desire("2.0.0", Optional.of(Duration.ZERO)).grace()).isEmpty();
        assertThatThrownBy(() -> desire("2.0.0", Optional.of(WEEK)))
                .hasMessageContaining("CFG-INVALID")
                .hasMessageContaining("nothing can stay");
    }

    @Test
    void nothingCanStayOfAModelThatIsNew() {
        assertThatThrownBy(() -> desire("1.0.0", Optional.of(WEEK))).hasMessageContaining("CFG-INVALID");
    }

    @Test
    void aTermBeyondAYearOrBelowZeroIsRefused() throws Exception {
        desire("1.0.0", Optional.empty());
        for (Duration wrong : List.of(Duration.ofDays(367), Duration.ofSeconds(-1))) {
            assertThatThrownBy(() -> desire("2.0.0", Optional.of(wrong))).hasMessageContaining("CFG-INVALID");
        }
    }

    @Test
    void aVersionBelowTheNextOnesEpochCannotStay() throws Exception {
        publish("4.0.0", Optional.of(2L));
        desire("1.0.0", Optional.empty());
        desire("2.0.0", Optional.of(WEEK));
        assertThatThrownBy(() -> desire("4.0.0", Optional.of(WEEK)))
                .hasMessageContaining("UPD-EPOCH")
                .hasMessageContaining("embed@2.0.0");
        assertThat(desire("4.0.0", Optional.empty()).grace())
                .as("devices would end it anyway")
                .isEmpty();
    }

    @Test
    void anotherModelsWishLeavesItAsItIs() throws Exception {
        desire("1.0.0", Optional.empty());
        DesiredModels.Wish wish = desire("2.0.0", Optional.of(WEEK));
        SampleRelease.sign(repository, "chat", "1.0.0", "chat".getBytes(StandardCharsets.UTF_8));
        DesiredModels both =
                DesiredModels.add(repository, DEVICE, "chat", new DesiredModels.Wish("1.0.0", Optional.empty()), false);
        assertThat(both.models().get("embed")).isEqualTo(wish);
        assertThat(DesiredModels.anew(both.byDefault(), both.models(), 99)
                        .models()
                        .get("embed"))
                .as("a restored fleet keeps the promise")
                .isEqualTo(new DesiredModels.Wish("2.0.0", Optional.empty(), 99, wish.grace(), Optional.empty()));
        assertThat(both.atOnce().models().get("embed"))
                .as("and so does a bundle")
                .isEqualTo(wish);
    }

    @Test
    void aReportSaysWhatADeviceServesInItsGrace() throws Exception {
        HeldDevice.Serving told = HeldDevice.Serving.of(Json.read(
                                ("{\"models\":[{\"model\":\"embed\",\"version\":\"2.0.0\",\"default\":true,\"grace\":["
                                                + "{\"version\":\"1.0.0\",\"until\":\"2027-01-09T03:04:05Z\"},"
                                                + "{\"version\":\"0.9.0\",\"until\":\"2027-01-09T03:04:05Z\",\"code\":\"INS-GRACE\"},"
                                                + "{\"version\":\"2.0.0\",\"until\":\"2027-01-09T03:04:05Z\"}]}]}")
                                        .getBytes(java.nio.charset.StandardCharsets.UTF_8),
                                4096)
                        .orThrow())
                .orElseThrow();
        assertThat(told.grace().get("embed"))
                .as("neither what is not served nor what serves by the bare name")
                .containsExactly(new GraceWish("1.0.0", NEXT_WEEK));
        for (String wrong : List.of("soon", "+100000-01-01T00:00:00Z", "")) {
            String report = "{\"models\":[{\"model\":\"embed\",\"version\":\"2.0.0\",\"grace\":["
                    + "{\"version\":\"1.0.0\",\"until\":\"" + wrong + "\"}]}]}";
            assertThat(HeldDevice.Serving.of(Json.read(report.getBytes(java.nio.charset.StandardCharsets.UTF_8), 4096)
                            .orThrow()))
                    .as(wrong)
                    .isEmpty();
        }
    }
}
