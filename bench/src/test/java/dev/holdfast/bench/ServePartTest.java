package dev.holdfast.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.bench.InferencePart.Bar;
import dev.holdfast.bench.InferencePart.Measured;
import dev.holdfast.bench.StreamedAnswer.Question;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServePartTest {
    private static final String PIECE =
            "data: {\"model\":\"m@%s\",\"choices\":[{\"text\":\"x\",\"finish_reason\":null}]}\n\n";
    private static final String REASON =
            "data: {\"model\":\"m@1\",\"choices\":[{\"text\":\"\",\"finish_reason\":\"length\"}]}\n\n";

    @TempDir
    Path folder;

    @Test
    void partsAreToldApartByName() {
        assertThat(ServePart.all())
                .extracting(ServePart::name)
                .containsExactly("one", "streams", "first", "swaps", "crowd");
        assertThat(KeptParts.isAsked(new String[0], "one")).isTrue();
        assertThat(KeptParts.isAsked(new String[] {"sw", "on"}, "swaps")).isTrue();
        assertThat(KeptParts.isAsked(new String[] {"first"}, "swaps")).isFalse();
    }

    @Test
    void whatAPartMeasuredIsKept() throws Exception {
        KeptParts kept = new KeptParts(folder.resolve("new"));
        assertThat(kept.read("one").at()).isEqualTo("never");
        Measured measured = new Measured("| a | b |\n", List.of(new Bar("x", 1.5, 0)));
        kept.keep("one", measured);
        assertThat(kept.read("one").measured()).isEqualTo(measured);
        Files.writeString(folder.resolve("new/one.json"), "{");
        assertThatThrownBy(() -> kept.read("one")).isInstanceOf(IOException.class);
    }

    @Test
    void percentilesAreOfTheNearestRank() {
        List<Double> values = List.of(4.0, 1.0, 3.0, 2.0);
        assertThat(Streams.median(values)).isEqualTo(2);
        assertThat(Streams.percentile(values, 99)).isEqualTo(4);
        assertThat(Streams.percentile(List.of(), 99)).isNaN();
    }

    private StreamedAnswer answered(String response, int pieces) throws Exception {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(folder.resolve("s"));
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(address);
            Thread.ofPlatform().daemon().start(() -> {
                try (SocketChannel channel = server.accept()) {
                    channel.read(ByteBuffer.allocate(4096));
                    channel.write(ByteBuffer.wrap(response.getBytes(StandardCharsets.US_ASCII)));
                } catch (IOException e) {
                    // The client hung up.
                }
            });
            return StreamedAnswer.ask(address, new Question("x", 8), pieces);
        } finally {
            Files.deleteIfExists(address.getPath());
        }
    }

    @Test
    void anAnswerWithoutItsEndIsNotWhole() throws Exception {
        String head = "HTTP/1.1 200 OK\r\n\r\n";
        String both = PIECE.formatted(1) + PIECE.formatted(1);
        StreamedAnswer whole = answered(head + both + REASON + "data: [DONE]\n\n", 99);
        assertThat(whole.whole()).isTrue();
        assertThat(whole.pieceNanos()).hasSize(2);
        assertThat(whole.models()).isEqualTo("m@1");
        assertThat(whole.perSecond(8)).isPositive();
        assertThat(answered(head + both + REASON, 99).whole()).isFalse();
        assertThat(answered(head + both + "data: [DONE]\n\n", 99).whole()).isFalse();
        assertThat(answered(head + PIECE.formatted(1) + PIECE.formatted(2), 99).isMixed())
                .isTrue();
        assertThat(answered(head + both, 1).pieceNanos()).hasSize(1);
        assertThatThrownBy(() -> answered("HTTP/1.1 429 Too Many Requests\r\n\r\n", 99))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("429");
    }
}
