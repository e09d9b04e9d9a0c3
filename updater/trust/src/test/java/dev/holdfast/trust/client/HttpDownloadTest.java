package dev.holdfast.trust.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Against a real HTTP server that knows ranges and tags, loses connections, and changes the file behind the URL. */
@Timeout(60)
class HttpDownloadTest {
    private static final int MIB = 1 << 20;

    @TempDir
    Path dir;

    private final byte[] content = bytes(1);
    private final List<String> ranges = new ArrayList<>();
    private byte[] offered = content;
    private String tag = "\"one\"";
    private boolean knowsRanges = true;
    /** After so many bytes each connection is lost. */
    private int cutAfter = Integer.MAX_VALUE;

    private int status;
    private long sent;
    private HttpServer server;

    private static byte[] bytes(int seed) {
        byte[] bytes = new byte[3 * MIB + 17];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    private synchronized void answer(HttpExchange exchange) throws IOException {
        String range = exchange.getRequestHeaders().getFirst("Range");
        String only = exchange.getRequestHeaders().getFirst("If-Range");
        ranges.add(range == null ? "" : range + (only == null ? "" : " if " + only));
        if (status != 0) {
            exchange.sendResponseHeaders(status, -1);
            exchange.close();
            return;
        }
        int from = 0;
        if (!tag.isEmpty()) {
            exchange.getResponseHeaders().set("ETag", tag);
        }
        if (knowsRanges && range != null && (only == null || only.equals(tag))) {
            from = Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
            if (from >= offered.length) {
                exchange.sendResponseHeaders(416, -1);
                exchange.close();
                return;
            }
            exchange.getResponseHeaders()
                    .set("Content-Range", "bytes " + from + "-" + (offered.length - 1) + "/" + offered.length);
            exchange.sendResponseHeaders(206, offered.length - from);
        } else {
            exchange.sendResponseHeaders(200, offered.length);
        }
        int length = Math.min(offered.length - from, cutAfter);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(offered, from, length);
            sent += length;
            if (length < offered.length - from) {
                // Closing the exchange before all was sent drops the connection.
                out.flush();
                exchange.close();
            }
        } catch (IOException e) {
            exchange.close();
        }
    }

    private Path file() {
        return dir.resolve("model.gguf");
    }

    private Verdict<Path> download() throws IOException {
        URI uri = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/model.gguf");
        TargetFile target = new TargetFile("model.gguf", content.length, Sha256.of(content), Json.object());
        HttpRepository repository = new HttpRepository(uri.resolve("/").toString(), Duration.ofSeconds(5));
        return new HttpDownload(repository, uri, target, file(), Disk.LOCAL).run();
    }

    private void assertWhole() {
        assertThat(file()).hasBinaryContent(content);
        assertThat(dir.toFile().list()).containsExactly("model.gguf");
    }

    private static void assertRefused(Verdict<Path> verdict, Code code) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        rejected -> assertThat(rejected.reason().code()).isEqualTo(code));
    }

    @Test
    void goesOnWhereTheConnectionWasLost() throws Exception {
        cutAfter = MIB;
        assertThat(download().isAccepted()).isTrue();
        assertWhole();
        assertThat(ranges).hasSize(4).first().isEqualTo("");
        assertThat(ranges.subList(1, 4))
                .allSatisfy(range -> assertThat(range).startsWith("bytes=").endsWith("- if \"one\""));
        // What the JDK's client had in its buffer (16 KiB) when a connection broke, it does not hand on.
        assertThat(sent).isBetween((long) content.length, content.length + 3L * 16 * 1024);
    }

    @Test
    void theNextProcessGoesOnWithTheSameFile() throws Exception {
        Files.write(dir.resolve("model.gguf.part"), Arrays.copyOf(content, 2 * MIB));
        Files.writeString(dir.resolve("model.gguf.part.tag"), "\"one\"");
        assertThat(download().isAccepted()).isTrue();
        assertWhole();
        assertThat(ranges).containsExactly("bytes=2097152- if \"one\"");
        assertThat(sent).isEqualTo(content.length - 2 * MIB);
    }

    @Test
    void aServerThatBringsNothingIsNotAskedForEver() throws Exception {
        cutAfter = 0;
        assertThatThrownBy(this::download).isInstanceOf(IOException.class);
        assertThat(ranges).hasSize(1);
        cutAfter = 1;
        ranges.clear();
        assertThatThrownBy(this::download).isInstanceOf(IOException.class);
        assertThat(ranges).hasSize(HttpDownload.MAX_CONNECTIONS);
        cutAfter = Integer.MAX_VALUE;
        assertThat(download().isAccepted()).isTrue();
        assertWhole();
    }

    @Test
    void beginsAnewWhenTheTagChanged() throws Exception {
        Files.write(dir.resolve("model.gguf.part"), Arrays.copyOf(bytes(2), 2 * MIB));
        Files.writeString(dir.resolve("model.gguf.part.tag"), "\"old\"");
        assertThat(download().isAccepted()).isTrue();
        assertWhole();
        assertThat(ranges).hasSize(1);
        assertThat(sent).isEqualTo(content.length);
    }

    @Test
    void theHashFindsAChangeThatNoTagTold() throws Exception {
        tag = "";
        Files.write(dir.resolve("model.gguf.part"), Arrays.copyOf(bytes(2), 2 * MIB));
        assertThat(download().isAccepted()).isTrue();
        assertWhole();
        assertThat(ranges).containsExactly("bytes=2097152-", "");
    }

    @Test
    void aWeakTagIsNoneAndALieAboutTheTagIsFoundOut() throws Exception {
        tag = "W/\"one\"";
        cutAfter = 2 * MIB;
        assertThat(download().isAccepted()).isTrue();
        assertThat(ranges).hasSize(2);
        assertThat(ranges.getLast()).startsWith("bytes=").doesNotContain("if");
        Files.delete(file());
        ranges.clear();
        tag = "\"same for every file\"";
        Files.write(dir.resolve("model.gguf.part"), Arrays.copyOf(bytes(2), 2 * MIB));
        Files.writeString(dir.resolve("model.gguf.part.tag"), tag);
        assertThat(download().isAccepted()).isTrue();
        assertWhole();
    }

    @Test
    void aServerWithoutRangesSendsAllAgain() throws Exception {
        knowsRanges = false;
        Files.write(dir.resolve("model.gguf.part"), Arrays.copyOf(content, MIB));
        assertThat(download().isAccepted()).isTrue();
        assertWhole();
    }

    @Test
    void refusesAnotherFileAndKeepsNothingOfIt() throws Exception {
        offered = bytes(2);
        assertRefused(download(), Code.UPD_MISMATCH);
        Files.write(dir.resolve("model.gguf.part"), Arrays.copyOf(offered, MIB));
        assertRefused(download(), Code.UPD_MISMATCH);
        offered = Arrays.copyOf(content, content.length + 1);
        assertRefused(download(), Code.UPD_MISMATCH);
        offered = Arrays.copyOf(content, content.length - 1);
        assertRefused(download(), Code.UPD_MISMATCH);
        assertThat(dir.toFile().list()).isEmpty();
    }

    @Test
    void whatIsThereAlreadyIsLongerThanTheFileNow() throws Exception {
        Files.write(dir.resolve("model.gguf.part"), Arrays.copyOf(content, content.length - 1));
        offered = Arrays.copyOf(content, MIB);
        assertRefused(download(), Code.UPD_MISMATCH);
    }

    @Test
    void absenceIsARefusalAndATiredServerIsNot() throws Exception {
        Files.write(dir.resolve("model.gguf.part"), Arrays.copyOf(content, MIB));
        status = 503;
        assertThatThrownBy(this::download).isInstanceOf(IOException.class);
        assertThat(dir.resolve("model.gguf.part")).as("kept for later").hasSize(MIB);
        status = 404;
        assertRefused(download(), Code.LNK_REFUSED);
    }
}
