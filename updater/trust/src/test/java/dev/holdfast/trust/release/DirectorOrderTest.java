package dev.holdfast.trust.release;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an order says of its models, and what it may not say. */
class DirectorOrderTest {
    private static final String CHAT = "models/chat/1.0.0/model.gguf";
    private static final String OLD_CHAT = "models/chat/0.9.0/model.gguf";
    private static final String EMBED = "models/embed/1.0.0/model.gguf";
    private static final Instant NOW = Instant.parse("2027-01-02T03:04:05Z");
    private static final int MAX_BYTES = 1 << 20;

    private final ObjectNode signed = DirectorOrder.answering(
                    Binary.copyOf(new byte[DirectorOrder.NONCE_BYTES]),
                    "device-1",
                    7,
                    NOW,
                    NOW.plusSeconds(60),
                    List.of(),
                    Collections.emptySortedMap())
            .signedPart();
    private final ObjectNode targets = (ObjectNode) signed.get("targets");
    private final ObjectNode models = (ObjectNode) signed.get("models");

    private void list(String model, String path) {
        Sha256 hash = Sha256.of(path.getBytes(StandardCharsets.UTF_8));
        ObjectNode custom = RepositorySimulator.modelCustom(model, "1.0.0", 1, 1, new BlockTree(32768, hash));
        ObjectNode listed = Json.object();
        TargetsRole.put(listed, List.of(new TargetFile(path, 100_000, hash, custom)));
        targets.setAll((ObjectNode) listed.get("targets"));
    }

    /** A chat model by default and an embedder beside it, each in its own words. */
    private void two() {
        list("chat", CHAT);
        list("embed", EMBED);
        models.putObject("chat").put("target", CHAT).put("default", true);
        models.putObject("embed").put("target", EMBED);
    }

    private static ModelTerms terms(DirectorOrder order, String model) {
        return Objects.requireNonNull(order.models().get(model));
    }

    private static Verdict<DirectorOrder> read(JsonNode order) {
        byte[] file = RepositorySimulator.DIRECTOR.sign((ObjectNode) order);
        return Verdict.of(() -> DirectorOrder.read(Envelope.parse(file, "director", MAX_BYTES)));
    }

    private void assertRefused(String detail) {
        assertThat(read(signed)).isInstanceOfSatisfying(Verdict.Rejected.class, refused -> {
            assertThat(refused.reason().code()).isEqualTo(Code.UPD_FORMAT);
            assertThat(refused.reason().detail()).contains(detail);
        });
    }

    @Test
    void namesASetOfModelsOfWhichOneIsTheDefault() throws Exception {
        two();
        ((ObjectNode) models.get("embed")).putObject("rollout").put("id", "r1").put("spreadSeconds", 60);
        DirectorOrder order = read(signed).orThrow();
        assertThat(order.models().keySet()).containsExactly("chat", "embed");
        assertThat(terms(order, "chat"))
                .isEqualTo(new ModelTerms(CHAT, true, Optional.empty()))
                .as("terms of a rollout belong to one model");
        assertThat(terms(order, "embed").rollout().orElseThrow().spread()).isEqualTo(Duration.ofMinutes(1));
        assertThat(order.file(EMBED)).isPresent();
    }

    @Test
    void mayNameNoModelAtAll() throws Exception {
        assertThat(read(signed).orThrow().models()).isEmpty();
    }

    @Test
    void refusesASetWithoutADefault() {
        two();
        ((ObjectNode) models.get("chat")).remove("default");
        assertRefused("default");
    }

    @Test
    void refusesTwoDefaults() {
        two();
        ((ObjectNode) models.get("embed")).put("default", true);
        assertRefused("default");
    }

    @Test
    void refusesAModelWhoseTargetIsNotListed() {
        two();
        targets.remove(EMBED);
        assertRefused(EMBED);
    }

    @ParameterizedTest
    @ValueSource(strings = {"draft", "grace", "adapters"})
    void refusesWhatIsNamedBesideAModelAndNotListed(String field) {
        two();
        ObjectNode chat = (ObjectNode) models.get("chat");
        String path = "models/other/1/model.gguf";
        switch (field) {
            case "draft" -> chat.put("draft", path);
            case "grace" ->
                chat.putArray("grace").addObject().put("target", path).put("until", 1);
            default -> chat.putArray("adapters").add(path);
        }
        assertRefused(path);
    }

    /** What {@code chat} says of a release that stays, beside its own. */
    private void letStay(String path) {
        ((ObjectNode) models.get("chat"))
                .withArray("grace")
                .addObject()
                .put("target", path)
                .put("until", NOW.getEpochSecond());
    }

    @Test
    void mayLetOlderReleasesOfAModelStay() throws Exception {
        two();
        list("chat", OLD_CHAT);
        letStay(OLD_CHAT);
        assertThat(terms(read(signed).orThrow(), "chat").grace())
                .containsExactly(new ModelTerms.Grace(OLD_CHAT, NOW.getEpochSecond()));
    }

    @Test
    void refusesAReleaseThatStaysOfAnotherModel() {
        two();
        letStay(EMBED);
        assertRefused("not a release of chat");
    }

    @Test
    void refusesWhatStaysAndIsNoModel() {
        two();
        list("chat", OLD_CHAT);
        ((ObjectNode) targets.get(OLD_CHAT).get("custom")).put("kind", "delta");
        letStay(OLD_CHAT);
        assertThat(read(signed).isAccepted()).isFalse();
    }

    @Test
    void refusesTheReleaseThatIsToServeAmongThoseThatStayAndOneThatIsThereTwice() {
        two();
        letStay(CHAT);
        assertRefused("named twice");
        models.removeAll();
        targets.removeAll();
        two();
        list("chat", OLD_CHAT);
        letStay(OLD_CHAT);
        letStay(OLD_CHAT);
        assertRefused("named twice");
    }

    @Test
    void refusesMoreReleasesThatStayThanAListHolds() throws Exception {
        two();
        for (int i = 0; i < ModelTerms.MAX_LIST; i++) {
            list("chat", "models/chat/old" + i);
            letStay("models/chat/old" + i);
        }
        assertThat(terms(read(signed).orThrow(), "chat").grace()).hasSize(ModelTerms.MAX_LIST);
        list("chat", OLD_CHAT);
        letStay(OLD_CHAT);
        assertRefused("at most 16");
    }

    @Test
    void refusesAModelThatNothingNames() {
        two();
        models.remove("embed");
        assertRefused(EMBED);
    }

    @Test
    void refusesAModelUnderAnothersName() {
        two();
        ((ObjectNode) models.get("embed")).put("target", CHAT);
        targets.remove(EMBED);
        assertRefused("not a release of embed");
    }

    @Test
    void refusesATargetThatIsNoModel() {
        two();
        ((ObjectNode) targets.get(EMBED).get("custom")).put("kind", "delta");
        assertThat(read(signed).isAccepted()).isFalse();
    }

    @Test
    void refusesMoreModelsThanADeviceRuns() throws Exception {
        for (int i = 0; i < ModelName.MAX_MODELS; i++) {
            list("m" + i, "models/m" + i);
            models.putObject("m" + i).put("target", "models/m" + i).put("default", i == 0);
        }
        assertThat(read(signed).orThrow().models()).hasSize(ModelName.MAX_MODELS);
        list("one-more", "models/one-more");
        models.putObject("one-more").put("target", "models/one-more");
        assertRefused("at most 16");
    }

    @Test
    void refusesFieldsOfAnotherKind() {
        List<Consumer<ObjectNode>> lies = List.of(
                chat -> chat.put("target", 1),
                chat -> chat.put("target", "x".repeat(ModelName.MAX_TARGET_CHARS + 1)),
                chat -> chat.put("default", "yes"),
                chat -> chat.put("grace", 1),
                chat -> chat.putArray("grace").add(1),
                chat -> chat.putArray("grace").addObject().put("target", CHAT).put("until", -1),
                chat -> chat.putArray("grace").addObject().put("target", CHAT).put("until", 253_402_300_800L),
                chat -> chat.putArray("grace").addObject().put("target", CHAT),
                chat -> chat.putArray("adapters").add(1),
                chat -> chat.put("draft", true),
                chat -> chat.put("key", "text"),
                chat -> chat.put("rollout", 1),
                chat -> {
                    for (int i = 0; i < 17; i++) {
                        chat.withArray("adapters").add(CHAT);
                    }
                });
        for (Consumer<ObjectNode> lie : lies) {
            models.removeAll();
            targets.removeAll();
            two();
            lie.accept((ObjectNode) models.get("chat"));
            assertRefused("");
        }
        models.removeAll();
        targets.removeAll();
        two();
        signed.putObject("lease").put("seconds", 0);
        assertRefused("");
        signed.remove("lease");
        signed.putArray("models");
        assertRefused("");
    }

    @Test
    void fieldsOfALaterVersionArePassedOver() throws Exception {
        two();
        ((ObjectNode) models.get("chat")).put("mood", "good");
        assertThat(read(signed).orThrow().models()).hasSize(2);
    }

    // --- an order of the time before several models ---

    @Test
    void readsAnOrderWithoutModelsThatNamesOneByItsTargets() throws Exception {
        list("chat", CHAT);
        signed.remove("models");
        signed.putObject("rollout").put("id", "r1").put("byteBudget", 9);
        DirectorOrder order = read(signed).orThrow();
        assertThat(order.models().keySet()).containsExactly("chat");
        ModelTerms terms = terms(order, "chat");
        assertThat(terms.target()).isEqualTo(CHAT);
        assertThat(terms.byDefault()).isTrue();
        assertThat(terms.rollout().orElseThrow().byteBudget()).isEqualTo(9);
    }

    @Test
    void refusesAnOrderWithoutModelsThatNamesTwoOrNone() {
        signed.remove("models");
        assertRefused("not 0");
        list("chat", CHAT);
        list("embed", EMBED);
        assertRefused("not 2");
    }

    // --- the page of the protocol ---

    /** Every example of {@code signed} on the page is an order as a device reads it, and the first has each field. */
    @Test
    void theExamplesOfThePageAreOrders() throws Exception {
        String page = Files.readString(Path.of("..", "..", "docs", "protocol", "metadata-and-orders.md"));
        List<DirectorOrder> orders = new ArrayList<>();
        Matcher blocks = Pattern.compile("```json\n(\\{\"_type\":\"director\".*?)```", Pattern.DOTALL)
                .matcher(page);
        while (blocks.find()) {
            JsonNode example = Json.read(blocks.group(1).getBytes(StandardCharsets.UTF_8), MAX_BYTES)
                    .orThrow();
            orders.add(read(example).orThrow());
        }
        assertThat(orders)
                .as("an order of today, an offline one that retires everything, one without models")
                .hasSize(3);
        DirectorOrder whole = orders.getFirst();
        assertThat(whole.leaseSeconds()).isPresent();
        ModelTerms chat = terms(whole, "chat");
        assertThat(chat.byDefault()).isTrue();
        assertThat(chat.rollout()).isPresent();
        assertThat(chat.grace()).hasSize(1);
        assertThat(chat.draft()).isPresent();
        assertThat(chat.adapters()).hasSize(1);
        assertThat(chat.key()).isPresent();
        assertThat(whole.models()).hasSize(2);
        assertThat(orders.get(1).models()).isEmpty();
        assertThat(orders.get(1).nonce()).isEmpty();
        assertThat(orders.get(2).models()).hasSize(1);
    }
}
