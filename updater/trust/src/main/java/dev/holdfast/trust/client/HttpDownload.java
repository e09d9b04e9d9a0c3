package dev.holdfast.trust.client;

import dev.holdfast.storage.Disk;
import dev.holdfast.storage.DiskException;
import dev.holdfast.trust.schema.Hashes;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpHeaders;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Streams one target over HTTP to the disk, and goes on where it was cut off (RFC 9110 section 14, ranges): in this call as long
 * as each connection brings something, and in the next process too.
 *
 * <p>{@code .part} holds the bytes, {@code .part.tag} the strong entity tag that they came with. A server that changed the file says so
 * by {@code If-Range}; one that has no tags is found out by the hash at the end, whereupon the download begins anew, once. Nothing that
 * comes is trusted: the listed length bounds it, the listed hashes decide. One thread.
 */
final class HttpDownload {
    private static final int BUFFER_BYTES = 64 * 1024;
    /** Connections for one file; a server that brings a buffer on each and then hangs up is not served for ever. */
    static final int MAX_CONNECTIONS = 64;

    private static final int MAX_TAG_CHARS = 256;
    private static final Pattern CONTENT_RANGE = Pattern.compile("bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\\*)");

    private final HttpRepository repository;
    private final URI uri;
    private final TargetFile target;
    private final Path file;
    private final Disk disk;
    private final Path part;
    private final Path tag;

    HttpDownload(HttpRepository repository, URI uri, TargetFile target, Path file, Disk disk) {
        this.repository = repository;
        this.uri = uri;
        this.target = target;
        this.file = file;
        this.disk = disk;
        this.part = file.resolveSibling(file.getFileName() + ".part");
        this.tag = file.resolveSibling(file.getFileName() + ".part.tag");
    }

    /** The file under its name, durable; or why not. What came before an {@link IOException} stays for the next call. */
    Verdict<Path> run() throws IOException {
        boolean anew = false;
        for (int connections = 0; ; ) {
            long before = size();
            boolean continued = before > 0;
            try {
                if (before < target.length() || before == 0) {
                    connections++;
                    Optional<Rejection> refused = receive(before);
                    if (refused.isPresent()) {
                        discard();
                        return new Verdict.Rejected<>(refused.get());
                    }
                }
            } catch (DiskException e) {
                // Another connection does not help a disk that is full.
                throw e;
            } catch (IOException e) {
                if (size() <= before || connections >= MAX_CONNECTIONS) {
                    throw e;
                }
                continue;
            }
            if (holds(part, target)) {
                disk.force(part);
                disk.move(part, file);
                disk.deleteIfExists(tag);
                return Verdict.accepted(file);
            }
            discard();
            if (!continued || anew) {
                return Verdict.rejected(Code.UPD_MISMATCH, target.path() + " has another hash or length than listed");
            }
            // The file changed between two connections, or the disk lost what was not forced: once more from the start.
            anew = true;
        }
    }

    private long size() throws IOException {
        return Files.exists(part) ? Files.size(part) : 0;
    }

    private void discard() throws IOException {
        disk.deleteIfExists(part);
        disk.deleteIfExists(tag);
    }

    /** One connection; empty where the body came to its end. */
    private Optional<Rejection> receive(long from) throws IOException {
        HttpResponse<InputStream> response = repository.open(uri, from, from > 0 ? storedTag() : Optional.empty());
        try (InputStream body = response.body();
                StallGuard guard = new StallGuard(body, repository.patience())) {
            long offset = switch (response.statusCode()) {
                case 200 -> 0;
                case 206 -> rangeStart(response.headers(), from);
                // Nothing is there behind our end: the file is shorter now, or ours was of another one.
                case 416 -> restart();
                case 408, 425, 429, 500, 502, 503, 504 ->
                    throw new IOException("status " + response.statusCode() + " of " + target.path());
                default -> -1;
            };
            if (response.statusCode() == 416) {
                return Optional.empty();
            }
            if (offset < 0) {
                return Optional.of(
                        new Rejection(Code.LNK_REFUSED, "status " + response.statusCode() + " of " + target.path()));
            }
            if (offset == 0) {
                keepTag(response.headers());
            }
            return write(body, guard, offset);
        }
    }

    private long restart() throws IOException {
        discard();
        return 0;
    }

    private long rangeStart(HttpHeaders headers, long from) throws IOException {
        Matcher range =
                CONTENT_RANGE.matcher(headers.firstValue("content-range").orElse(""));
        if (!range.matches()
                || Long.parseLong(range.group(1)) != from
                || !range.group(3).equals("*") && Long.parseLong(range.group(3)) != target.length()) {
            discard();
            throw new IOException("another range of " + target.path() + " came than was asked for");
        }
        return from;
    }

    private Optional<Rejection> write(InputStream body, StallGuard guard, long offset) throws IOException {
        try (Disk.OpenFile out = disk.open(part)) {
            out.truncate(offset);
            byte[] buffer = new byte[BUFFER_BYTES];
            long left = target.length() - offset;
            for (boolean ended = false; !ended; ) {
                int filled = 0;
                IOException broken = null;
                // Full buffers: a server that trickles gets no more time for each byte.
                while (filled < buffer.length && !ended && broken == null) {
                    try {
                        int read = body.read(buffer, filled, buffer.length - filled);
                        ended = read < 0;
                        filled += Math.max(read, 0);
                    } catch (IOException e) {
                        broken = e;
                    }
                }
                guard.check(target.path());
                guard.extend(repository.patience());
                left -= filled;
                if (left < 0) {
                    return Optional.of(new Rejection(Code.UPD_MISMATCH, target.path() + " is longer than listed"));
                }
                out.write(ByteBuffer.wrap(buffer, 0, filled), target.length() - left - filled);
                if (broken != null) {
                    throw broken;
                }
            }
            return Optional.empty();
        }
    }

    /** Weak tags say nothing about bytes (RFC 9110 section 8.8.3), so there is none to go on with. */
    private void keepTag(HttpHeaders headers) throws IOException {
        String value = headers.firstValue("etag").orElse("");
        if (value.startsWith("\"") && value.length() <= MAX_TAG_CHARS) {
            try (Disk.OpenFile out = disk.open(tag)) {
                out.truncate(0);
                out.write(ByteBuffer.wrap(value.getBytes(StandardCharsets.ISO_8859_1)), 0);
            }
        } else {
            disk.deleteIfExists(tag);
        }
    }

    private Optional<String> storedTag() throws IOException {
        if (!Files.isRegularFile(tag) || Files.size(tag) > MAX_TAG_CHARS) {
            return Optional.empty();
        }
        String value = Files.readString(tag, StandardCharsets.ISO_8859_1);
        return value.matches("\"[\\x21\\x23-\\x7e]*\"") ? Optional.of(value) : Optional.empty();
    }

    static boolean holds(Path file, TargetFile target) throws IOException {
        if (!Files.isRegularFile(file) || Files.size(file) != target.length()) {
            return false;
        }
        Hashes.Running hashes = new Hashes.Running();
        try (InputStream in = Files.newInputStream(file)) {
            byte[] buffer = new byte[BUFFER_BYTES];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                hashes.update(buffer, read);
            }
        }
        return hashes.match(target.hashes());
    }
}
