package dev.holdfast.tee.tpm;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Where a TPM 2.0 takes commands: a character device ({@code /dev/tpmrm0}), a raw Unix socket
 * ({@code unix:/run/swtpm.sock}) or a raw TCP socket ({@code tcp:127.0.0.1:2321}).
 */
public sealed interface TpmAddress {
    /** A Linux character device; {@code /dev/tpmrm0} shares the TPM through the kernel's resource manager. */
    record Device(Path path) implements TpmAddress {
        @Override
        public String toString() {
            return path.toString();
        }
    }

    /** A Unix stream socket that carries bare commands and responses, as swtpm serves it. */
    record Unix(Path path) implements TpmAddress {
        @Override
        public String toString() {
            return "unix:" + path;
        }
    }

    /** A TCP socket that carries bare commands and responses. */
    record Tcp(String host, int port) implements TpmAddress {
        @Override
        public String toString() {
            return "tcp:" + host + ":" + port;
        }
    }

    /** Reads one of the three spellings. */
    static Verdict<TpmAddress> parse(String text) {
        if (text.startsWith("unix:/")) {
            return Verdict.accepted(new Unix(Path.of(text.substring("unix:".length()))));
        }
        if (text.startsWith("tcp:")) {
            int colon = text.lastIndexOf(':');
            String port = text.substring(colon + 1);
            if (colon > "tcp:".length() && port.matches("[0-9]{1,5}") && Integer.parseInt(port) < 65536) {
                return Verdict.accepted(new Tcp(text.substring("tcp:".length(), colon), Integer.parseInt(port)));
            }
        } else if (text.startsWith("/dev/")) {
            return Verdict.accepted(new Device(Path.of(text)));
        }
        return Verdict.rejected(Code.CFG_INVALID, "no TPM address (/dev/..., unix:/..., tcp:host:port): " + text);
    }

    /** Opens a channel; it blocks and is closed by the caller. */
    default ByteChannel open() throws IOException {
        return switch (this) {
            case Device(Path path) -> FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
            case Unix(Path path) -> {
                SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
                yield connected(channel, UnixDomainSocketAddress.of(path));
            }
            case Tcp(String host, int port) -> connected(SocketChannel.open(), new InetSocketAddress(host, port));
        };
    }

    private static SocketChannel connected(SocketChannel channel, java.net.SocketAddress address) throws IOException {
        try {
            channel.connect(address);
            return channel;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e instanceof IOException io ? io : new IOException(e);
        }
    }
}
