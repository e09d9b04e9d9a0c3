package dev.holdfast.agent.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AgentMetricsTest {
    private static final String STATUS = """
            {"device": "d", "agent": "1", "state": "waiting", "connected": false, "enrolled": true, "paused": false,
             "tee": {"kind": "TPM", "assurance": "HARDWARE", "detail": "x"},
             "link": {"connected": false, "connections": 3, "takeovers": 1, "lost": {"code": "LNK-TLS", "detail": "x"}},
             "memory": {"neededBytes": 12, "budgetBytes": 34}, "lastLook": "1970-01-01T00:01:00Z",
             "lastRejection": {"code": "UPD-ROLLBACK", "detail": "ignored"},
             "certificate": {"state": "valid", "until": "1970-01-01T00:02:00Z"},
             "scrub": {"at": "1970-01-01T00:03:00Z", "sound": false},
             "install": {"bytesReceived": 5, "bytesTotal": 6, "blocksRefused": 7},
             "models": [{"model": "chat", "version": "1.0\\"\\n0", "state": "idle", "grace": [{}, {}]},
                        {"model": "embed", "lastRejection": {"code": "INS-DISK", "detail": "full"}}]}
            """;

    @TempDir
    Path store;

    private final AgentCounters counters = new AgentCounters();

    private String text(String status, boolean broken) throws Exception {
        JsonNode read = Json.readObject(status.getBytes(StandardCharsets.UTF_8), 1 << 16)
                .orThrow();
        return new AgentMetrics(counters, () -> List.of(Binary.copyOf(new byte[9])), () -> 42, store)
                .text(read, broken);
    }

    @Test
    void sayWhatTheStatusSays() throws Exception {
        Files.write(Files.createDirectories(store.resolve("blobs")).resolve("one"), new byte[100]);
        assertThat(text(STATUS, true).lines())
                .contains(
                        "holdfast_agent_info{version=\"1\",tee=\"TPM\",assurance=\"HARDWARE\"} 1",
                        "holdfast_agent_state{state=\"waiting\"} 1",
                        "holdfast_agent_connected 0",
                        "holdfast_agent_connections_total 3",
                        "holdfast_agent_takeovers_total 1",
                        "holdfast_agent_link_lost{code=\"LNK-TLS\"} 1",
                        "holdfast_agent_enrolled 1",
                        "holdfast_agent_order_version 42",
                        "holdfast_agent_last_look_timestamp_seconds 60",
                        "holdfast_agent_certificate_expires_timestamp_seconds 120",
                        "holdfast_agent_last_scrub_timestamp_seconds 180",
                        "holdfast_agent_models_at_rest_sound 0",
                        "holdfast_agent_memory_budget_bytes 34",
                        "holdfast_agent_last_rejection{code=\"UPD-ROLLBACK\"} 1",
                        "holdfast_agent_graces{model=\"chat\"} 2",
                        "holdfast_agent_model_last_rejection{model=\"embed\",code=\"INS-DISK\"} 1",
                        "holdfast_agent_install_refused_blocks 7",
                        "holdfast_agent_event_log_entries 1",
                        "holdfast_agent_event_log_bytes 9",
                        "holdfast_agent_event_log_broken 1",
                        "holdfast_agent_store_bytes 100");
        assertThat(text("{}", false).lines())
                .contains("holdfast_agent_event_log_broken 0", "holdfast_agent_last_look_timestamp_seconds 0");
    }

    @Test
    void countWhatComesAndWhatIsMade() throws Exception {
        counters.received(AgentCounters.Inbound.ANSWER, 10, Optional.empty());
        counters.received(AgentCounters.Inbound.ANSWER, 5, Optional.of(new Rejection(Code.WIRE_CBOR, "x")));
        assertThat(counters.counting(nonce -> new byte[1], e -> new Rejection(Code.TEE_RESPONSE, ""))
                        .attest(Binary.copyOf(new byte[8])))
                .hasSize(1);
        assertThatThrownBy(() -> counters.counting(
                                nonce -> {
                                    throw new TeeException(Code.TEE_UNAVAILABLE, "away");
                                },
                                e -> ((TeeException) e).rejection())
                        .attest(Binary.copyOf(new byte[8])))
                .isInstanceOf(TeeException.class);
        assertThat(text(STATUS, false).lines())
                .contains(
                        "holdfast_agent_received_bytes_total{kind=\"answer\"} 15",
                        "holdfast_agent_refused_bytes_total{code=\"WIRE-CBOR\"} 5",
                        "holdfast_agent_evidence_total{code=\"\"} 1",
                        "holdfast_agent_evidence_total{code=\"TEE-UNAVAILABLE\"} 1")
                .noneMatch(line -> line.equals("holdfast_agent_last_evidence_timestamp_seconds 0"));
    }

    /** What others chose can break no line: each is a comment, or a name with labels and a number. */
    @Test
    void everyLineIsOfTheFormat() throws Exception {
        counters.received(AgentCounters.Inbound.HINT, 10, Optional.empty());
        Set<String> described = new HashSet<>();
        assertThat(text(STATUS, false).lines()).allSatisfy(line -> {
            if (line.startsWith("# HELP ")) {
                assertThat(described.add(line.split(" ")[2])).isTrue();
            } else if (line.startsWith("# TYPE ")) {
                String[] words = line.split(" ");
                assertThat(words[3]).isEqualTo(words[2].endsWith("_total") ? "counter" : "gauge");
            } else {
                assertThat(line).matches("[a-z_]+(\\{([a-z]+=\"(\\\\.|[^\"\\\\])*\",?)+})? -?[0-9]+");
                assertThat(described).contains(line.split("[ {]")[0]);
            }
        });
    }
}
