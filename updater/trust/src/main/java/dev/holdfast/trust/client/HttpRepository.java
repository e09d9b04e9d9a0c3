package dev.holdfast.trust.client;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;

/**
 * A repository of metadata on an HTTP server. No credentials, no redirects, no caches: what comes is verified, and where it comes
 * from does not matter. Thread-safe.
 */
public final class HttpRepository implements MetadataSource {
    private static final Duration CONNECT = Duration.ofSeconds(10);
    /** A whole file of metadata; a server that trickles is one that does not answer. */
    private static final Duration TRANSFER = Duration.ofSeconds(60);

    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(CONNECT)
            .build();
    private final String base;
    private final Duration transfer;

    /** @param base URL of the directory that holds {@code timestamp.json} */
    public HttpRepository(String base) {
        this(base, TRANSFER);
    }

    public HttpRepository(String base, Duration transfer) {
        this.transfer = transfer;
        this.base = base.endsWith("/") ? base : base + "/";
    }

    @Override
    public Optional<byte[]> fetch(String fileName, int maxBytes) throws IOException {
        return get(URI.create(base + fileName), maxBytes);
    }

    /** There is no Director on a plain server. */
    @Override
    public Optional<byte[]> directorOrder(byte[] nonce) {
        return Optional.empty();
    }

    private Optional<byte[]> get(URI uri, int maxBytes) throws IOException {
        HttpResponse<InputStream> response = open(uri);
        try (InputStream body = response.body();
                StallGuard guard = new StallGuard(body, transfer)) {
            if (response.statusCode() == 404 || response.statusCode() == 403) {
                return Optional.empty();
            }
            if (response.statusCode() != 200) {
                throw new IOException("status " + response.statusCode() + " of " + uri);
            }
            byte[] bytes = new byte[0];
            int length = 0;
            while (true) {
                if (bytes.length == length) {
                    bytes = Arrays.copyOf(bytes, Math.min(maxBytes + 1, Math.max(8192, 2 * length)));
                }
                int read = body.read(bytes, length, bytes.length - length);
                guard.check(uri);
                if (read < 0) {
                    return Optional.of(Arrays.copyOf(bytes, length));
                }
                length += read;
                if (length > maxBytes) {
                    throw new IOException(uri + " is longer than " + maxBytes + " bytes");
                }
            }
        }
    }

    /** For a file of metadata as a whole, and for each buffer of a target. */
    Duration patience() {
        return transfer;
    }

    HttpResponse<InputStream> open(URI uri) throws IOException {
        return open(uri, 0, Optional.empty());
    }

    /** The file from {@code offset} on, where it still is the one that {@code tag} names; else, and without ranges, from the start. */
    HttpResponse<InputStream> open(URI uri, long offset, Optional<String> tag) throws IOException {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri).timeout(transfer);
        if (offset > 0) {
            request.header("Range", "bytes=" + offset + "-");
            tag.ifPresent(value -> request.header("If-Range", value));
        }
        try {
            return client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
