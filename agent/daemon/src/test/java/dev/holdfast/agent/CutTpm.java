package dev.holdfast.agent;

import dev.holdfast.tee.tpm.TpmAddress;
import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Set;

/**
 * The wire to a TPM that is cut, for good, at one of the commands that change something or sign: before the TPM has it, or before its
 * answer comes back. What a command of the agent does on the disk is between two of these.
 */
final class CutTpm implements AutoCloseable {
    private static final int HEADER_BYTES = 10;
    private static final int MAX_BYTES = 8192;

    /** TPM2_EvictControl, NV_UndefineSpace, NV_DefineSpace, NV_Increment, NV_Write, NV_WriteLock, Sign (Part 2, 6.5.2). */
    private static final Set<Integer> STEPS = Set.of(0x120, 0x122, 0x12a, 0x134, 0x137, 0x138, 0x15d);

    private final ServerSocketChannel server;
    private final TpmAddress tpm;
    private final int halfSteps;
    private int passed;
    private volatile boolean cut;

    /** @param halfSteps how many halves of such commands get through: the way there is one, the way back the next */
    CutTpm(Path socket, TpmAddress tpm, int halfSteps) throws IOException {
        this.tpm = tpm;
        this.halfSteps = halfSteps;
        this.server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        Thread.ofVirtual().start(this::serve);
    }

    /** Whether anything was cut off. */
    boolean wasCut() {
        return cut;
    }

    private void serve() {
        while (!cut && server.isOpen()) {
            try (SocketChannel client = server.accept();
                    ByteChannel real = tpm.open()) {
                while (pass(client, real)) {
                    continue;
                }
            } catch (IOException e) {
                // One of the two went.
            }
        }
        close();
    }

    private boolean pass(ByteChannel client, ByteChannel real) throws IOException {
        ByteBuffer command = message(client);
        boolean step = STEPS.contains(command.getInt(6));
        if (step && !counts()) {
            return false;
        }
        write(real, command);
        ByteBuffer response = message(real);
        if (step && !counts()) {
            return false;
        }
        write(client, response);
        return true;
    }

    private boolean counts() {
        cut = passed++ >= halfSteps;
        return !cut;
    }

    private static ByteBuffer message(ByteChannel from) throws IOException {
        ByteBuffer in = ByteBuffer.allocate(MAX_BYTES);
        while (in.position() < HEADER_BYTES || in.position() < in.getInt(2)) {
            if (from.read(in) < 0) {
                throw new EOFException();
            }
        }
        return in.flip();
    }

    private static void write(ByteChannel to, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            to.write(bytes);
        }
    }

    @Override
    public void close() {
        try {
            server.close();
        } catch (IOException e) {
            // Nobody listens there any more.
        }
    }
}
