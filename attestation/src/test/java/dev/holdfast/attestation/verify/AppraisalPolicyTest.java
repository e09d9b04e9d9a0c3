package dev.holdfast.attestation.verify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.Models;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AppraisalPolicyTest {
    private static final String WHOLE = """
            {"format":1, "id":"edge", "minAssurance":"hardware", "register":15, "allowResettableRegister":true,
             "freshnessSeconds":60, "models":["intent"], "minEpoch":3, "agentVersions":["0.1.0"],
             "facts":{"seccomp":"filter"},
             "registers":{"7":["00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"]},
             "requireBootLog":true, "requireImaLog":true, "fleet":"fleet"}
            """;

    private static Verdict<AppraisalPolicy> parse(String json) {
        return AppraisalPolicy.parse(json.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void readsEveryDemand() {
        AppraisalPolicy policy = Models.accepted(parse(WHOLE));
        assertThat(policy.id()).isEqualTo("edge");
        assertThat(policy.minAssurance()).isEqualTo(Assurance.HARDWARE);
        assertThat(policy.register()).isEqualTo(new TpmRegister.Pcr(15));
        assertThat(policy.freshness()).contains(Duration.ofMinutes(1));
        assertThat(policy.registers()).containsOnlyKeys(7);
        assertThat(policy.requiredFacts()).containsEntry("seccomp", "filter");
        assertThat(policy.requireBootLog() && policy.requireImaLog() && policy.allowResettableRegister())
                .isTrue();
    }

    @Test
    void modelsAreAListOrSayWhatIsAskedOfEach() {
        AppraisalPolicy listed = Models.accepted(parse("{\"format\":1, \"minAssurance\":\"software\", \"minEpoch\":2,"
                + " \"models\":[\"intent\",\"embed\"]}"));
        assertThat(listed.models()).containsOnlyKeys("embed", "intent");
        assertThat(listed.models().values()).allMatch(demand -> !demand.optional());
        assertThat(listed.minEpoch("intent")).isEqualTo(2);
        AppraisalPolicy each = Models.accepted(
                parse(
                        "{\"format\":1, \"minAssurance\":\"software\", \"minEpoch\":2,"
                                + " \"models\":{\"intent\":{\"minEpoch\":3},\"embed\":{\"minEpoch\":0,\"optional\":true},\"ner\":{}}}"));
        assertThat(each.models()).containsOnlyKeys("embed", "intent", "ner");
        assertThat(each.minEpoch("intent")).isEqualTo(3);
        assertThat(each.minEpoch("embed")).isZero();
        assertThat(each.minEpoch("ner")).isEqualTo(2);
        assertThat(each.minEpoch("unlisted")).isEqualTo(2);
        assertThat(each.models().get("embed")).isEqualTo(new AppraisalPolicy.Demand(OptionalLong.of(0), true, true));
        AppraisalPolicy none = Models.accepted(
                parse("{\"format\":1, \"minAssurance\":\"software\", \"models\":{\"intent\":{\"grace\":false}}}"));
        assertThat(none.allowsGrace("intent")).isFalse();
        assertThat(none.allowsGrace("unlisted")).isTrue();
    }

    @Test
    void aRegisterIsAPcrOrAnIndexWithItsGuard() {
        assertThat(Models.accepted(parse("{\"format\":1, \"minAssurance\":\"software\"}"))
                        .register())
                .isEqualTo(new TpmRegister.Pcr(14));
        assertThat(Models.accepted(parse("{\"format\":1, \"minAssurance\":\"software\", \"register\":\"nv:15\"}"))
                        .register())
                .isEqualTo(new TpmRegister.Nv(15));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "[]",
                "{\"format\":1}",
                "{\"format\":2, \"minAssurance\":\"software\"}",
                "{\"format\":1, \"minAssurance\":\"best\"}",
                "{\"format\":1, \"minAssurance\":\"software\", \"minEpochs\":3}",
                "{\"format\":1, \"minAssurance\":\"software\", \"minEpoch\":\"3\"}",
                "{\"format\":1, \"minAssurance\":\"software\", \"minEpoch\":-3}",
                "{\"format\":1, \"minAssurance\":\"software\", \"models\":[]}",
                "{\"format\":1, \"minAssurance\":\"software\", \"models\":\"intent\"}",
                "{\"format\":1, \"minAssurance\":\"software\", \"models\":{}}",
                "{\"format\":1, \"minAssurance\":\"software\", \"models\":[\"no name\"]}",
                "{\"format\":1, \"minAssurance\":\"software\", \"models\":{\"no name\":{}}}",
                "{\"format\":1, \"minAssurance\":\"software\", \"models\":{\"intent\":3}}",
                "{\"format\":1, \"minAssurance\":\"software\", \"models\":{\"intent\":{\"minEpochs\":3}}}",
                "{\"format\":1, \"minAssurance\":\"software\", \"models\":{\"intent\":{\"minEpoch\":-3}}}",
                "{\"format\":1, \"minAssurance\":\"software\", \"models\":{\"intent\":{\"optional\":\"yes\"}}}",
                "{\"format\":1, \"minAssurance\":\"software\", \"models\":{\"intent\":{\"grace\":1}}}",
                "{\"format\":1, \"minAssurance\":\"software\", \"register\":24}",
                "{\"format\":1, \"minAssurance\":\"software\", \"register\":\"nv:23\"}",
                "{\"format\":1, \"minAssurance\":\"software\", \"register\":true}",
                "{\"format\":1, \"minAssurance\":\"software\", \"registers\":{\"24\":[]}}",
                "{\"format\":1, \"minAssurance\":\"software\", \"registers\":{\"7\":[\"00\"]}}",
                "{\"format\":1, \"minAssurance\":\"software\", \"requireBootLog\":\"yes\"}",
                "{\"format\":1, \"minAssurance\":\"software\", \"facts\":[]}"
            })
    void refusesWhatItDoesNotUnderstand(String json) {
        assertThat(parse(json).isAccepted()).isFalse();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "minEpochs | \"minEpochs\":3",
                "minEpoch | \"minEpoch\":\"3\"",
                "minAssurance | \"minAssurance\":\"best\"",
                "id | \"id\":7",
                "register | \"register\":\"nv:23\"",
                "allowResettableRegister | \"allowResettableRegister\":1",
                "freshnessSeconds | \"freshnessSeconds\":-1",
                "models | \"models\":[]",
                "models[1] | \"models\":[\"intent\",3]",
                "models.no name | \"models\":[\"no name\"]",
                "models.intent | \"models\":{\"intent\":3}",
                "models.intent.minEpochs | \"models\":{\"intent\":{\"minEpochs\":3}}",
                "models.intent.minEpoch | \"models\":{\"intent\":{\"minEpoch\":-3}}",
                "models.intent.grace | \"models\":{\"intent\":{\"grace\":1}}",
                "agentVersions[0] | \"agentVersions\":[1]",
                "facts | \"facts\":[]",
                "facts.seccomp | \"facts\":{\"seccomp\":true}",
                "registers | \"registers\":[]",
                "registers.24 | \"registers\":{\"24\":[]}",
                "registers.7 | \"registers\":{\"7\":[\"00\"]}",
                "registers.7[1] | \"registers\":{\"7\":[\"00\",7]}",
                "requireBootLog | \"requireBootLog\":\"yes\""
            })
    void aRefusalNamesTheKeyThatDoesNotHold(String key, String entry) {
        String assurance = entry.startsWith("\"minAssurance\"") ? "" : "\"minAssurance\":\"software\", ";
        Verdict<AppraisalPolicy> read = parse("{\"format\":1, " + assurance + entry + "}");
        Rejection why = ((Verdict.Rejected<AppraisalPolicy>) read).reason();
        assertThat(why.code()).isEqualTo(Code.CFG_INVALID);
        assertThat(why.field()).isEqualTo(key);
        assertThat(why.detail()).startsWith("policy: " + key + ": ");
    }

    @Test
    void isReadAgainAsItWasWrittenAndNamedAlike() {
        String each = WHOLE.replace(
                "[\"intent\"]", "{\"intent\":{\"minEpoch\":3,\"grace\":false},\"embed\":{\"optional\":true}}");
        for (String text :
                new String[] {WHOLE, each, "{\"format\":1, \"minAssurance\":\"software\", \"register\":\"nv:15\"}"}) {
            AppraisalPolicy policy = Models.accepted(parse(text));
            AppraisalPolicy again = Models.accepted(AppraisalPolicy.parse(Json.write(policy.toJson())));
            assertThat(again).isEqualTo(policy);
            assertThat(again.digest()).isEqualTo(policy.digest());
        }
        AppraisalPolicy spaced = Models.accepted(parse(WHOLE.replace(":", " : ")));
        assertThat(spaced.digest()).isEqualTo(Models.accepted(parse(WHOLE)).digest());
        assertThat(Models.accepted(parse(WHOLE)).digest())
                .isNotEqualTo(AppraisalPolicy.atLeast(Assurance.HARDWARE).digest());
    }

    @Test
    void thePageListsEveryKey() throws IOException {
        String page = Files.readString(Path.of("../docs/protocol/evidence-and-policy.md"));
        PolicyFile.KEYS.forEach(key -> assertThat(page).as(key).contains("`" + key + "`"));
        PolicyFile.MODEL_KEYS.forEach(key -> assertThat(page).as(key).contains("`" + key + "`"));
    }

    @Test
    void neverThrowsOnOddBytes() {
        String each = WHOLE.replace("[\"intent\"]", "{\"intent\":{\"minEpoch\":3},\"embed\":{\"optional\":true}}");
        assertThat(each).isNotEqualTo(WHOLE);
        assertThat(mutated(WHOLE, 3)).isBetween(1, 19_999);
        assertThat(mutated(each, 4)).isBetween(1, 19_999);
    }

    /** How many of 20,000 changed policies can be read. */
    private static int mutated(String policy, long seed) {
        byte[] good = policy.getBytes(StandardCharsets.UTF_8);
        Random random = new Random(seed);
        int read = 0;
        for (int i = 0; i < 20_000; i++) {
            byte[] odd = Arrays.copyOf(good, random.nextInt(10) == 0 ? random.nextInt(good.length) : good.length);
            for (int flips = 1 + random.nextInt(3); flips > 0 && odd.length > 0; flips--) {
                odd[random.nextInt(odd.length)] ^= (byte) (1 << random.nextInt(8));
            }
            read += AppraisalPolicy.parse(odd).isAccepted() ? 1 : 0;
        }
        return read;
    }
}
