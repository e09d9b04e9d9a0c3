package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.MemoryBudget;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InferenceConfigTest {
    @TempDir
    Path folder;

    private Verdict<InferenceConfig> read(String toml) throws Exception {
        return InferenceConfig.read(Files.writeString(folder.resolve("holdfast.toml"), toml));
    }

    @Test
    void theMemoryOfAllModelsIsConfiguredInBytes() throws Exception {
        InferenceConfig config = read("memory-budget = 123456789\n").orThrow();
        assertThat(config.limits().memoryBudget()).isEqualTo(123_456_789);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "memory-budget = 0\n"})
    void whereItIsNotItIsThreeQuartersOfWhatTheProcessMayHave(String toml) throws Exception {
        InferenceConfig config = read(toml).orThrow();
        assertThat(config.limits().memoryBudget()).isEqualTo(MemoryBudget.defaultOf(MemoryBudget.processBytes()));
        assertThat(config.limits().sequences()).isEqualTo(MemoryNeeds.DEFAULT_SEQUENCES);
        assertThat(config.limits().contextTokens()).isEqualTo(MemoryNeeds.DEFAULT_CONTEXT_TOKENS);
    }

    @Test
    void timesAndStrictnessAreConfigured() throws Exception {
        InferenceConfig usual = read("").orThrow();
        assertThat(usual.strict()).isFalse();
        assertThat(usual.limits().request().first()).hasMinutes(5);
        assertThat(usual.limits().request().gap()).hasMinutes(1);
        InferenceConfig other =
                read("strict-api = true\nmax-request-seconds = 9\nmax-first-token-seconds = 5\nmax-gap-seconds = 2\n")
                        .orThrow();
        assertThat(other.strict()).isTrue();
        assertThat(other.limits().request().whole()).hasSeconds(9);
        assertThat(other.limits().request().first()).hasSeconds(5);
        assertThat(other.limits().request().gap()).hasSeconds(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"memory-budget = -1\n", "memory-budget = \"1G\"\n", "memory-budget = 1.5\n"})
    void whatIsNoNumberOfBytesIsRefused(String toml) throws Exception {
        assertThat(read(toml)).isInstanceOfSatisfying(Verdict.Rejected.class, rejected -> {
            Rejection why = rejected.reason();
            assertThat(why.code()).isEqualTo(Code.CFG_INVALID);
            assertThat(why.detail()).contains("memory-budget");
        });
    }

    /** The list of keys knows no engine: its words and defaults are the engine's all the same. */
    @Test
    void theListOfKeysAgreesWithTheEngine() throws Exception {
        for (CacheType type : CacheType.values()) {
            assertThat(read("kv-cache = \"" + type + "\"\n").orThrow().limits().cache())
                    .isEqualTo(type);
        }
        assertThat(read("").orThrow().limits().cache()).isEqualTo(CacheType.DEFAULT);
        assertThat(read("kv-cache = \"f8\"\n").isAccepted()).isFalse();
    }
}
