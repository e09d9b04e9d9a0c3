package dev.holdfast.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What the start-up cache of the command is made of: the verbs that people and scripts use most, once each, against answers that are
 * written below. Where a package is installed no agent runs yet, and a cache of one verb would not fit the next one. Run by the launcher
 * alone, where it writes the cache.
 */
final class Rehearsal {
    static final String VERB = "rehearse";

    private static final int MAX_REQUEST_BYTES = 8192;
    private static final String STATUS = """
        {"device":"d","fleet":"f","agent":"0","state":"idle","connected":true,"enrolled":true,"link":{"connected":true},
        "paused":false,"tee":{"kind":"TPM2","assurance":"HARDWARE","detail":"d"},"model":"m","version":"1","memory":
        {"neededBytes":1,"budgetBytes":2},"models":[{"model":"m","default":true,"version":"1","release":1,"epoch":1,
        "slot":"00","digest":"00","state":"installing","install":{"state":"DOWNLOADING","blocksDone":1,"blocksTotal":2,
        "bytesTotal":3},"fallback":{"version":"0","slot":"00","digest":"00"},"lastFailure":{"at":"2026-01-01T00:00:00Z",
        "version":"0","state":"FAILED","code":"INS-DISK"}}],"waiting":{"for":"w","until":"2026-01-01T00:00:00Z"},
        "certificate":{"state":"valid","until":"2026-01-01T00:00:00Z"}}\
        """;
    private static final String HISTORY = """
        [{"sequence":1,"at":"2026-01-01T00:00:00.5Z","order":1,"state":"FAILED","model":"m","version":"1","note":"n",
        "code":"INS-DISK","detail":"d"}]\
        """;

    private Rehearsal() {}

    static int run() {
        PrintStream told = System.out;
        try {
            Path folder = Files.createTempDirectory("holdfast-rehearsal");
            Path socket = folder.resolve("c.sock");
            Path config = Files.writeString(
                    folder.resolve("c.toml"),
                    "fleet = \"f\"\ndevice = \"d\"\nbroker = \"mqtt://127.0.0.1\"\ncontrol-socket = \"" + socket
                            + "\"\n");
            try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
                server.bind(UnixDomainSocketAddress.of(socket));
                Thread.ofPlatform().name("rehearsal").daemon().start(() -> serve(server));
                System.setOut(new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8));
                String file = "--config=" + config;
                for (List<String> line : List.of(
                        List.of("status", file),
                        List.of("status", "--json", file),
                        List.of("slots", file),
                        List.of("history", file),
                        List.of("watch", "--seconds=1", file),
                        List.of("pause", file),
                        List.of("resume", file),
                        List.of("explain", "UPD-ROLLBACK"),
                        List.of("status", "--config=" + folder.resolve("none")),
                        List.of("statsu"),
                        List.of("--help"))) {
                    String[] args = line.toArray(String[]::new);
                    PrintStream nowhere = System.out;
                    var program = HoldfastCommand.program(args);
                    program.commandLine()
                            .setOut(new java.io.PrintWriter(nowhere, true))
                            .setErr(new java.io.PrintWriter(nowhere, true));
                    program.execute(args);
                }
            } finally {
                for (String name : List.of("c.sock", "c.toml", "")) {
                    Files.deleteIfExists(folder.resolve(name));
                }
            }
            System.setOut(told);
            String[] last = {"explain", "UPD-ROLLBACK"};
            return HoldfastCommand.program(last).run(last);
        } catch (IOException e) {
            told.println("no rehearsal: " + e);
            return 1;
        }
    }

    private static void serve(ServerSocketChannel server) {
        ByteBuffer request = ByteBuffer.allocate(MAX_REQUEST_BYTES);
        try {
            while (true) {
                try (SocketChannel one = server.accept()) {
                    one.read(request.clear());
                    String asked =
                            StandardCharsets.US_ASCII.decode(request.flip()).toString();
                    String body = asked.startsWith("GET /v1/history") ? HISTORY : STATUS;
                    String head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                            + body.length() + "\r\n\r\n";
                    one.write(ByteBuffer.wrap((head + body).getBytes(StandardCharsets.US_ASCII)));
                }
            }
        } catch (ClosedChannelException e) {
            // The rehearsal is over.
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
