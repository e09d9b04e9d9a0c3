package dev.holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The command at a socket whose owner says nothing, or nothing sensible. */
class InstallCommandTest {
    @TempDir
    Path dir;

    private void converse(String said) throws Exception {
        Path socket = dir.resolve("control.sock");
        Path bundle = Files.write(dir.resolve("bundle"), new byte[10]);
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            try (SocketChannel agent = SocketChannel.open(UnixDomainSocketAddress.of(socket));
                    SocketChannel other = server.accept();
                    FileChannel file = FileChannel.open(bundle);
                    Silence silence = new Silence(agent, Duration.ofMillis(200))) {
                other.write(ByteBuffer.wrap(said.getBytes(StandardCharsets.ISO_8859_1)));
                assertThatThrownBy(() -> InstallCommand.converse(agent, file, silence))
                        .isInstanceOf(IOException.class);
                assertThat(agent.isOpen()).isFalse();
            }
        }
    }

    @Test
    @Timeout(20)
    void anAgentThatFallsSilentCostsTheCommandItsPatience() throws Exception {
        converse("");
        Files.delete(dir.resolve("control.sock"));
        converse("HTTP/1.1 101 Switching Protocols\r\n\r\n\u0002");
    }
}
