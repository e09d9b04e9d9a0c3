package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.sockets.PeerPolicy;
import dev.holdfast.testkit.Crowd;
import dev.holdfast.testkit.HostileProgram;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** More requests at once than there are places: each is answered, whole, and what is refused says when to come again. */
class ManyAtOnceTest {
    private static final String SETPRIV = "/usr/bin/setpriv";
    private static final int CONNECTIONS = 300;
    private static final String BODY =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":8,\"ignore_eos\":true%s}";

    @TempDir
    Path folder;

    private InferenceDaemon daemon;
    private Path socket;

    @BeforeEach
    void start() throws Exception {
        HostileProgram.letIn(folder);
        TinyStore store = new TinyStore(folder.resolve("store"));
        store.serving(store.add("1.0.0", 1, TinyModel.Flaw.NONE), null);
        socket = folder.resolve("api.sock");
        SocketPaths sockets = new SocketPaths(folder.resolve("agent.sock"), socket, folder.resolve("control.sock"));
        daemon = InferenceDaemon.start(InferenceConfig.of(
                        store.folder(), sockets, new InferenceConfig.Limits(2, 8, 256, 1, CacheType.DEFAULT, 0))
                .withApi(new InferenceConfig.Access("rw-rw-rw-", PeerPolicy.everyone())));
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    private static byte[] request(String more) {
        String body = BODY.formatted(more);
        return ("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
                        + body.length() + "\r\n\r\n" + body)
                .getBytes(StandardCharsets.US_ASCII);
    }

    /** Each answer whole, and how many there were of each status. */
    private static Map<Integer, Integer> statuses(List<Crowd.Exchange> exchanges) {
        Map<Integer, Integer> statuses = new TreeMap<>();
        for (Crowd.Exchange exchange : exchanges) {
            assertThat(exchange.failure()).isEmpty();
            String answer = exchange.answer();
            int end = answer.indexOf("\r\n\r\n");
            assertThat(end).as("an answer: " + answer).isPositive();
            List<String> head =
                    answer.substring(0, end).toLowerCase(Locale.ROOT).lines().toList();
            int status = Integer.parseInt(head.getFirst().split(" ")[1]);
            statuses.merge(status, 1, Integer::sum);
            String body = answer.substring(end + 4);
            if (head.contains("transfer-encoding: chunked")) {
                assertThat(body).contains("data: [DONE]").endsWith("\r\n0\r\n\r\n");
            } else {
                assertThat(head).contains("content-length: " + body.getBytes(StandardCharsets.UTF_8).length);
                assertThat(TinyStore.node(body).isObject()).isTrue();
            }
            switch (status) {
                case 200 -> assertThat(body).contains("\"finish_reason\":\"length\"");
                case 429 -> assertRetry(head, body);
                case 503 -> {
                    assertRetry(head, body);
                    assertThat(head).contains("connection: close");
                }
                default -> assertThat(answer).as("no other status").isEmpty();
            }
        }
        return statuses;
    }

    private static void assertRetry(List<String> head, String body) {
        assertThat(head)
                .anyMatch(line -> line.matches("retry-after: ([1-9]|[12][0-9]|30)"))
                .anyMatch(line -> line.matches("retry-after-ms: [1-9][0-9]{2,4}"));
        assertThat(body).contains("API-BUSY");
    }

    @Test
    void eachOfOneUserIsAnswered() throws Exception {
        for (String more : List.of("", ",\"stream\":true")) {
            Map<Integer, Integer> statuses = statuses(Crowd.ask(socket, request(more), CONNECTIONS));
            System.out.println(CONNECTIONS + " at once" + more + ": " + statuses);
            assertThat(statuses.values().stream().mapToInt(Integer::intValue).sum())
                    .isEqualTo(CONNECTIONS);
            assertThat(statuses.get(200)).isGreaterThanOrEqualTo(2 + 8);
        }
    }

    @Test
    void eachOfSeveralUsersIsAnswered() throws Exception {
        assumeTrue(
                Files.isExecutable(Path.of(SETPRIV)) && "root".equals(System.getProperty("user.name")),
                "root and setpriv are there");
        List<HostileProgram.User> users = new ArrayList<>();
        for (long uid = 65_530; uid < 65_533; uid++) {
            users.add(new HostileProgram.User(uid, uid, List.of()));
        }
        // Each has more than its share of connections, and all have more than there are.
        Map<Integer, Integer> statuses =
                statuses(Crowd.ask(SETPRIV, users, socket, request(""), CONNECTIONS / users.size()));
        System.out.println(CONNECTIONS + " at once of " + users.size() + " users: " + statuses);
        assertThat(statuses.values().stream().mapToInt(Integer::intValue).sum()).isEqualTo(CONNECTIONS);
        assertThat(statuses.get(200)).isGreaterThanOrEqualTo(2 + 8);
    }
}
