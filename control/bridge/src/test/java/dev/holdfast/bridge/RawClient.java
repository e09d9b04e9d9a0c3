package dev.holdfast.bridge;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A TCP client that writes what it is told, byte by byte, and keeps no rule. */
final class RawClient implements AutoCloseable {
    private static final int TIMEOUT_MILLIS = 20_000;
    private static final int BUFFER_BYTES = 16 * 1024;

    private final Socket socket = new Socket();

    /** @param receiveBytes of the kernel's buffer, 0 for its own choice */
    RawClient(int port, int receiveBytes) throws IOException {
        if (receiveBytes > 0) {
            socket.setReceiveBufferSize(receiveBytes);
        }
        socket.setSoTimeout(TIMEOUT_MILLIS);
        socket.connect(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port), TIMEOUT_MILLIS);
    }

    RawClient(int port) throws IOException {
        this(port, 0);
    }

    /** The head of a request that ends its connection. */
    static String head(String method, String path, String token, List<String> more) {
        return method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                + (token.isEmpty() ? "" : "Authorization: Bearer " + token + "\r\n")
                + String.join("", more.stream().map(line -> line + "\r\n").toList()) + "\r\n";
    }

    static String post(String path, String token, String body) {
        return head("POST", path, token, List.of("Content-Type: application/json", "Content-Length: " + body.length()))
                + body;
    }

    RawClient send(String ascii) throws IOException {
        socket.getOutputStream().write(ascii.getBytes(StandardCharsets.US_ASCII));
        return this;
    }

    /** Some bytes, as they come; empty at the end. */
    String some() throws IOException {
        byte[] bytes = new byte[BUFFER_BYTES];
        int count = socket.getInputStream().read(bytes);
        return count < 0 ? "" : new String(bytes, 0, count, StandardCharsets.UTF_8);
    }

    /** Reads until {@code text} came. */
    String until(String text) throws IOException {
        StringBuilder all = new StringBuilder();
        while (all.indexOf(text) < 0) {
            String more = some();
            if (more.isEmpty()) {
                throw new IOException("the end came before " + text + ": " + all);
            }
            all.append(more);
        }
        return all.toString();
    }

    /** All to the end, which may be a reset. */
    byte[] rest() {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] bytes = new byte[BUFFER_BYTES];
        try {
            for (int count = socket.getInputStream().read(bytes);
                    count >= 0;
                    count = socket.getInputStream().read(bytes)) {
                all.write(bytes, 0, count);
            }
        } catch (IOException e) {
            // What came counts.
        }
        return all.toByteArray();
    }

    /** Sends a request on a connection of its own and reads to the end. */
    static String exchange(int port, String request) throws IOException {
        try (RawClient client = new RawClient(port)) {
            return new String(client.send(request).rest(), StandardCharsets.UTF_8);
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
