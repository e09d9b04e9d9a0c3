package dev.holdfast.bridge;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** An inference process that answers each connection as a test says, in raw bytes. */
final class ScriptedInference implements AutoCloseable {
    /** What is done with a connection whose request was read; it is closed afterwards. */
    @FunctionalInterface
    interface Script {
        void answer(SocketChannel channel) throws IOException, InterruptedException;
    }

    private final ServerSocketChannel server;
    private final Script script;
    private final List<String> heads = Collections.synchronizedList(new ArrayList<>());
    private final AtomicInteger open = new AtomicInteger();

    ScriptedInference(Path socket, Script script) throws IOException {
        this.script = script;
        this.server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket), 512);
        Thread.ofVirtual().start(this::accept);
    }

    private void accept() {
        try {
            while (true) {
                SocketChannel channel = server.accept();
                open.incrementAndGet();
                Thread.ofVirtual().start(() -> serve(channel));
            }
        } catch (IOException e) {
            // It is over.
        }
    }

    private void serve(SocketChannel channel) {
        try (channel) {
            StringBuilder head = new StringBuilder();
            ByteBuffer in = ByteBuffer.allocate(1);
            while (head.indexOf("\r\n\r\n") < 0) {
                if (channel.read(in.clear()) < 0) {
                    return;
                }
                head.append((char) in.get(0));
            }
            heads.add(head.toString());
            script.answer(channel);
        } catch (IOException | InterruptedException e) {
            // The other side hung up.
        } finally {
            open.decrementAndGet();
        }
    }

    static void write(SocketChannel channel, String text) throws IOException {
        ByteBuffer out = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
        while (out.hasRemaining()) {
            channel.write(out);
        }
    }

    /** Reads until the other side hangs up. */
    static void untilTheEnd(SocketChannel channel) throws IOException {
        ByteBuffer in = ByteBuffer.allocate(1024);
        while (channel.read(in.clear()) >= 0) {}
    }

    /** The heads of the requests that came. */
    List<String> heads() {
        return List.copyOf(heads);
    }

    /** Connections that are served now. */
    int open() {
        return open.get();
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
