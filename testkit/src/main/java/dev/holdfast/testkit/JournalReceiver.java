package dev.holdfast.testkit;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;

/** The systemd journal's end of its native protocol: a real datagram socket, which Python binds, since the JDK has none. */
public final class JournalReceiver implements AutoCloseable {
    private static final Path PYTHON = Path.of("/usr/bin/python3");
    private static final String PROGRAM = """
            import socket, sys
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.bind(sys.argv[1])
            print("bound", flush=True)
            while True:
                print(s.recv(1 << 20).hex(), flush=True)
            """;

    private final Process process;
    private final List<Map<String, String>> entries = new CopyOnWriteArrayList<>();

    public JournalReceiver(Path socket) throws IOException {
        process = new ProcessBuilder(PYTHON.toString(), "-c", PROGRAM, socket.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII));
        if (!"bound".equals(lines.readLine())) {
            throw new IOException("cannot bind " + socket);
        }
        Thread.ofPlatform().daemon().name("journal-receiver").start(() -> {
            try {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    entries.add(fields(HexFormat.of().parseHex(line)));
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
    public List<Map<String, String>> entries() {
        return List.copyOf(entries);
    }

    /** The fields of one entry, read as the journal reads them. */
    public static Map<String, String> fields(byte[] entry) {
        Map<String, String> fields = new LinkedHashMap<>();
        ByteBuffer in = ByteBuffer.wrap(entry).order(ByteOrder.LITTLE_ENDIAN);
        while (in.hasRemaining()) {
            StringBuilder name = new StringBuilder();
            byte end = in.get();
            while (end != '=' && end != '\n') {
                name.append((char) end);
                end = in.get();
            }
            int length = 0;
            if (end == '\n') {
                length = Math.toIntExact(in.getLong());
            } else {
                while (in.get(in.position() + length) != '\n') {
                    length++;
                }
            }
            byte[] value = new byte[length];
            in.get(value);
            if (in.get() != '\n' || !name.toString().matches("[A-Z][A-Z0-9_]{0,63}")) {
                throw new IllegalArgumentException("no field of the journal: " + name);
            }
            if (fields.put(name.toString(), new String(value, StandardCharsets.UTF_8)) != null) {
                throw new IllegalArgumentException("twice: " + name);
            }
        }
        return fields;
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
