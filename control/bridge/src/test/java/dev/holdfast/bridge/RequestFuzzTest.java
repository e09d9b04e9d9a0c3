package dev.holdfast.bridge;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.holdfast.wire.Verdict;
import io.vertx.core.MultiMap;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Heads of requests and files of tokens: whatever comes, the answer is a value, and nobody gets in without the token. */
class RequestFuzzTest {
    private static final String TEXT = "0123456789abcdef";
    private static final List<String> NAMES =
            List.of("Host", "Authorization", "Origin", "Sec-Fetch-Site", "Connection", "Upgrade", "Host");
    private static final RequestCheck CHECK = new RequestCheck(
            Token.read(TEXT.getBytes(StandardCharsets.US_ASCII)) instanceof Verdict.Accepted<Token>(Token token)
                    ? Optional.of(token)
                    : Optional.empty());

    /** The first line is the target; each other one is the value of the next header in turn. */
    private static void look(String text) {
        Iterator<String> lines = text.lines().iterator();
        String uri = lines.hasNext() ? lines.next() : "";
        MultiMap headers = MultiMap.caseInsensitiveMultiMap();
        for (int i = 0; lines.hasNext() && i < NAMES.size(); i++) {
            String value = lines.next();
            if (!value.isEmpty()) {
                headers.add(NAMES.get(i), value);
            }
        }
        Optional<RequestCheck.Refusal> refusal = CHECK.refusal(HttpVersion.HTTP_1_1, HttpMethod.GET, uri, headers);
        if (refusal.isEmpty()) {
            assertThat(headers.getAll("Authorization"))
                    .singleElement()
                    .satisfies(value -> assertThat(value).endsWith(" " + TEXT));
            assertThat(headers.contains("Origin")).isFalse();
            assertThat(headers.getAll("Host")).hasSize(1);
            assertThat(uri).matches("(?s)/(v1/.*|(healthz|readyz)(\\?.*)?)");
        } else {
            assertThat(refusal.get().status()).isBetween(400, 405);
        }
    }

    @FuzzTest(maxDuration = "1m")
    void head(byte[] bytes) {
        look(new String(bytes, StandardCharsets.ISO_8859_1));
    }

    @FuzzTest(maxDuration = "1m")
    void tokenFile(byte[] bytes) {
        assertThat(Token.read(bytes)).isNotNull();
    }

    @Test
    void bentHeadsNeverThrowAndNeverGetIn() {
        String good = "/v1/models?x=1\nlocalhost:8434\nBearer " + TEXT + "\n";
        MultiMap headers =
                MultiMap.caseInsensitiveMultiMap().add("Host", "localhost:8434").add("Authorization", "Bearer " + TEXT);
        assertThat(CHECK.refusal(HttpVersion.HTTP_1_1, HttpMethod.GET, "/v1/models?x=1", headers))
                .isEmpty();
        Random random = new Random(7);
        for (int i = 0; i < 50_000; i++) {
            StringBuilder bent = new StringBuilder(good);
            for (int changes = 1 + random.nextInt(4); changes > 0; changes--) {
                int at = random.nextInt(bent.length());
                switch (random.nextInt(3)) {
                    case 0 -> bent.setCharAt(at, (char) random.nextInt(256));
                    case 1 -> bent.insert(at, (char) random.nextInt(256));
                    default -> bent.deleteCharAt(at);
                }
            }
            look(bent.toString());
        }
    }
}
