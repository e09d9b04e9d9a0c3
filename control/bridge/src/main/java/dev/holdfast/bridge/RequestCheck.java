package dev.holdfast.bridge;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import io.vertx.core.MultiMap;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Whether a request is passed on, by its head alone.
 *
 * <p>Any page in a browser can send requests to a loopback port, and any account of the machine can connect to it. So a request is
 * refused that has what browsers alone send: {@code Origin} (Fetch, section 3.1: each POST has one) or {@code Sec-Fetch-Site} (Fetch
 * Metadata, section 2.3: what loads images and scripts has no other mark). So is one whose {@code Host} is not this machine, since a
 * page's own name may be made to mean 127.0.0.1. No answer ever has a header of CORS. Accounts are told apart by the token.
 *
 * <p>Only paths of applications are offered, since the bridge may run as a user whom the inference process tells more. Thread-safe.
 */
record RequestCheck(Optional<Token> token) {
    private static final Pattern THIS_MACHINE =
            Pattern.compile("(?:localhost|127\\.0\\.0\\.1|\\[::1])(?::\\d{1,5})?", Pattern.CASE_INSENSITIVE);
    private static final Pattern ENCODED_DOT = Pattern.compile("%2e", Pattern.CASE_INSENSITIVE);
    private static final Pattern SEPARATOR = Pattern.compile("/|\\\\|%2f|%5c", Pattern.CASE_INSENSITIVE);

    /** Why a request is not passed on. */
    record Refusal(int status, Rejection why) {}

    /** @param uri the request target as it came */
    Optional<Refusal> refusal(HttpVersion version, HttpMethod method, String uri, MultiMap headers) {
        if (version != HttpVersion.HTTP_1_1) {
            // Before 1.1 the end of a connection is the end of an answer: one that was cut would look whole.
            return refused(400, Code.API_REQUEST, "the bridge speaks HTTP/1.1");
        }
        if (headers.contains("Origin") || headers.contains("Sec-Fetch-Site")) {
            return refused(403, Code.API_BROWSER, "a web page may not use the bridge");
        }
        List<String> hosts = headers.getAll("Host");
        if (hosts.size() != 1 || !THIS_MACHINE.matcher(hosts.getFirst()).matches()) {
            return refused(403, Code.API_BROWSER, "Host must be 127.0.0.1, [::1] or localhost");
        }
        if (token.isPresent() && !token.get().isIn(headers.getAll("Authorization"))) {
            return refused(401, Code.API_TOKEN, "send the bridge's token as the API key: Authorization: Bearer TOKEN");
        }
        if (!isOffered(uri)) {
            return refused(404, Code.API_NOT_FOUND, "the bridge offers /v1/..., /healthz and /readyz");
        }
        if (!method.equals(HttpMethod.GET) && !method.equals(HttpMethod.POST)) {
            return refused(405, Code.API_REQUEST, "method not allowed");
        }
        return Optional.empty();
    }

    private static Optional<Refusal> refused(int status, Code code, String detail) {
        return Optional.of(new Refusal(status, new Rejection(code, detail)));
    }

    /** A path that means the same to whoever resolves dots and to whoever does not. */
    private static boolean isOffered(String uri) {
        int query = uri.indexOf('?');
        String path = query < 0 ? uri : uri.substring(0, query);
        return switch (path) {
            case "/healthz", "/readyz" -> true;
            default ->
                path.startsWith("/v1/")
                        && Stream.of(SEPARATOR.split(ENCODED_DOT.matcher(path).replaceAll(".")))
                                .noneMatch(segment -> segment.equals(".") || segment.equals(".."));
        };
    }
}
