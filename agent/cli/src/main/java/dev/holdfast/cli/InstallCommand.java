package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.AgentClient;
import dev.holdfast.control.AgentPaths;
import dev.holdfast.control.BundleProtocol;
import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.NoDaemonException;
import dev.holdfast.terminal.Program;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ExitCode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Brings an offline bundle to the agent and hands it the ranges that it asks for; see {@link BundleProtocol}. */
@Command(
        name = "install",
        description =
                "Installs what a file of fleet bundle orders for this device; every check is the one of the network.",
        footer = {"", "Example:", "  holdfast install /media/usb/update.hfb"})
final class InstallCommand extends HoldfastCommand.Configured {
    private static final int MAX_HEAD_BYTES = 4 * 1024;
    /** The agent says something each 30 s, however long an install takes. */
    private static final Duration PATIENCE = Duration.ofMinutes(2);

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Parameters(paramLabel = "FILE", description = "the bundle")
    Path bundle = Path.of("");

    @Override
    public Integer call() throws Exception {
        Path control = sockets().agent();
        if (Files.isDirectory(bundle)) {
            throw new CommandFailure.Worded(ExitCode.FAILED, bundle + " is a folder", "name the bundle in it");
        }
        JsonNode end;
        try (FileChannel file = FileChannel.open(bundle, StandardOpenOption.READ);
                SocketChannel agent = connect(control);
                Silence silence = new Silence(agent, PATIENCE);
                InstallProgressLine _ =
                        InstallProgressLine.start(new AgentClient(control), Program.progress(spec, ""))) {
            end = converse(agent, file, silence);
        }
        if (end.has("code")) {
            throw new RejectedException(
                    Code.byId(end.path("code").asText()).orElse(Code.API_INTERNAL),
                    end.path("detail").asText());
        }
        System.out.print(json ? end + "\n" : DeviceCommands.outcome(end));
        return 0;
    }

    private static SocketChannel connect(Path control) throws IOException {
        try {
            return SocketChannel.open(UnixDomainSocketAddress.of(control));
        } catch (IOException e) {
            throw new NoDaemonException(control, e);
        }
    }

    static JsonNode converse(SocketChannel agent, FileChannel file, Silence silence)
            throws IOException, RejectedException {
        String question = "GET " + AgentPaths.INSTALL + "?" + AgentPaths.BYTES + "=" + file.size()
                + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: " + BundleProtocol.NAME + "\r\n\r\n";
        try {
            return answer(agent, file, silence, question);
        } catch (EOFException e) {
            throw new IOException("the agent ended the conversation before its answer; its log says why", e);
        } catch (ClosedChannelException e) {
            throw silence.isOver()
                    ? new IOException(
                            "the agent said nothing for " + silence.patience().toSeconds()
                                    + " s; holdfast status says what it does",
                            e)
                    : e;
        }
    }

    private static JsonNode answer(SocketChannel agent, FileChannel file, Silence silence, String question)
            throws IOException, RejectedException {
        send(agent, ByteBuffer.wrap(question.getBytes(StandardCharsets.US_ASCII)));
        DataInputStream in = new DataInputStream(Channels.newInputStream(agent));
        String head = head(in);
        if (head.startsWith("HTTP/1.1 429 ")) {
            throw new RejectedException(
                    Code.API_BUSY, "the agent installs another bundle: holdfast watch shows how far it is");
        }
        if (!head.startsWith("HTTP/1.1 101 ")) {
            throw new IOException(
                    "the agent refused: " + head.lines().findFirst().orElse("nothing"));
        }
        while (true) {
            silence.heard();
            switch (in.readByte()) {
                case BundleProtocol.READ -> range(file, in.readLong(), in.readInt(), agent);
                case BundleProtocol.WAIT -> {
                    // The install goes on without the file.
                }
                case BundleProtocol.END -> {
                    byte[] answer = new byte[Math.clamp(in.readInt(), 0, BundleProtocol.MAX_END_BYTES)];
                    in.readFully(answer);
                    return Json.readObject(answer, BundleProtocol.MAX_END_BYTES).orThrow();
                }
                default -> throw new IOException("the agent speaks another version of this protocol");
            }
        }
    }

    private static String head(DataInputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.length() < MAX_HEAD_BYTES && head.indexOf("\r\n\r\n") < 0) {
            head.append((char) in.readUnsignedByte());
        }
        return head.toString();
    }

    /** Where the file ends early or cannot be read, the connection ends, and with it the agent's question. */
    private static void range(FileChannel file, long offset, int length, SocketChannel agent) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(Math.clamp(length, 0, BundleProtocol.MAX_RANGE_BYTES));
        while (bytes.hasRemaining()) {
            if (file.read(bytes, offset + bytes.position()) < 0) {
                throw new IOException("the bundle became shorter");
            }
        }
        send(agent, bytes.flip());
    }

    private static void send(SocketChannel agent, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            agent.write(bytes);
        }
    }
}
