package dev.holdfast.tee.tpm;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;

/** The wire to a TPM as a function from a command to its response, so that a test can listen, lie or replay. */
final class TpmWire implements ByteChannel {
    @FunctionalInterface
    interface Responder {
        byte[] respond(byte[] command) throws IOException;
    }

    /** What a listener makes of a response before the bridge sees it. */
    @FunctionalInterface
    interface Tap {
        byte[] pass(byte[] command, byte[] response);
    }

    private final Responder responder;
    private final Closeable end;
    private ByteBuffer response = ByteBuffer.allocate(0);
    private boolean open = true;

    private TpmWire(Responder responder, Closeable end) {
        this.responder = responder;
        this.end = end;
    }

    static TpmWire to(Responder responder) {
        return new TpmWire(responder, () -> {});
    }

    /** A wire to a real TPM with somebody on it. */
    static TpmWire tapped(TpmAddress address, Tap tap) throws IOException {
        ByteChannel real = address.open();
        return new TpmWire(command -> tap.pass(command, ask(real, command)), real);
    }

    @Override
    public int write(ByteBuffer command) throws IOException {
        byte[] bytes = new byte[command.remaining()];
        command.get(bytes);
        response = ByteBuffer.wrap(responder.respond(bytes));
        return bytes.length;
    }

    @Override
    public int read(ByteBuffer into) {
        if (!response.hasRemaining()) {
            return -1;
        }
        int length = Math.min(into.remaining(), response.remaining());
        into.put(response.slice(response.position(), length));
        response.position(response.position() + length);
        return length;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public void close() throws IOException {
        open = false;
        end.close();
    }

    private static byte[] ask(ByteChannel real, byte[] command) throws IOException {
        ByteBuffer out = ByteBuffer.wrap(command);
        while (out.hasRemaining()) {
            real.write(out);
        }
        ByteBuffer in = ByteBuffer.allocate(TpmConnection.MAX_BYTES);
        while (in.position() < TpmConnection.HEADER_BYTES || in.position() < in.getInt(2)) {
            if (real.read(in) < 0) {
                throw new EOFException("the TPM closed the channel");
            }
        }
        byte[] response = new byte[in.flip().remaining()];
        in.get(response);
        return response;
    }
}
