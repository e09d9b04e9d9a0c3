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

    private void converse(String said, boolean hangsUp, String told) throws Exception {
        Path socket = dir.resolve("control.sock");
        Path bundle = Files.write(dir.resolve("bundle"), new byte[10]);
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            try (SocketChannel agent = SocketChannel.open(UnixDomainSocketAddress.of(socket));
                    SocketChannel other = server.accept();
                    FileChannel file = FileChannel.open(bundle);
                    Silence silence = new Silence(agent, Duration.ofMillis(hangsUp ? 60_000 : 200))) {
                other.write(ByteBuffer.wrap(said.getBytes(StandardCharsets.ISO_8859_1)));
                if (hangsUp) {
                    other.shutdownOutput();
                }
                assertThatThrownBy(() -> InstallCommand.converse(agent, file, silence))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining(told);
                assertThat(agent.isOpen()).isEqualTo(hangsUp);
            }
        }
    }

    @Test
    @Timeout(20)
    void anAgentThatFallsSilentCostsTheCommandItsPatience() throws Exception {
        converse("", false, "the agent said nothing for");
        Files.delete(dir.resolve("control.sock"));
        converse("HTTP/1.1 101 Switching Protocols\r\n\r\n\u0002", false, "the agent said nothing for");
    }

    @Test
    @Timeout(20)
    void anAgentThatHangsUpIsToldAsOne() throws Exception {
        converse("HTTP/1.1 101 Switching Protocols\r\n\r\n\u0002", true, "the agent ended the conversation");
    }
}
