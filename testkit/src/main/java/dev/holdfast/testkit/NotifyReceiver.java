package dev.holdfast.testkit;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A service manager's end of sd_notify(3): a real datagram socket, which Python binds, since the JDK has none. Each message is kept as one
 * line, its own lines joined by {@code |}.
 */
public final class NotifyReceiver implements AutoCloseable {
    private static final Path PYTHON = Path.of("/usr/bin/python3");
    private static final String PROGRAM = """
            import socket, sys
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            name = sys.argv[1]
            s.bind("\\0" + name[1:] if name.startswith("@") else name)
            print("bound", flush=True)
            while True:
                print(s.recv(4096).decode().replace("\\n", "|"), flush=True)
            """;

    private final Process process;
    private final List<String> messages = new CopyOnWriteArrayList<>();

    /** @param address a path, or an abstract name with {@code @} before it */
    public NotifyReceiver(String address) throws IOException {
        process = new ProcessBuilder(PYTHON.toString(), "-c", PROGRAM, address)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        if (!"bound".equals(lines.readLine())) {
            throw new IOException("cannot bind " + address);
        }
        Thread.ofPlatform().daemon().name("notify-receiver").start(() -> {
            try {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    messages.add(line);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    /** Whether this machine can receive. */
    public static boolean available() {
        return Files.isExecutable(PYTHON);
    }

    /** What came so far. */
    public List<String> messages() {
        return List.copyOf(messages);
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
