package dev.holdfast.link;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.time.Instant;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.SocketFactory;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * The socket that the client library gets for one connection. It connects to the broker of the configuration, whatever address it is
 * given, with TLS where that asks for it; it hands on packets that {@link PacketFence} has read whole and found good; and it knows
 * since when a write has been under way. TLS is above a plain socket, so that closing that one ends a handshake or a write that hangs.
 * The library connects, reads and writes; any thread may close.
 */
final class FencedSocket extends Socket {
    /** How often the library looks whether it was stopped while the broker says nothing. */
    private static final int LOOK_MILLIS = 1000;

    private static final int BUFFER_BYTES = 16 * 1024;

    private final LinkConfig config;
    private final PacketFence.Watcher watcher;
    private final Socket plain = new Socket();
    private final CountDownLatch spoken = new CountDownLatch(1);
    private final AtomicLong givenUpNanos = new AtomicLong();
    private final PacketFence.Watcher told = new PacketFence.Watcher() {
        @Override
        public Packet came(Packet packet) throws LinkException {
            return watcher.came(packet);
        }

        @Override
        public void failed(IOException failure) {
            FencedSocket.this.failed(failure);
        }
    };
    private volatile Socket talking = plain;
    private volatile @Nullable PacketFence fence;
    /** When the write that is under way began; 0 where none is. */
    private volatile long writingSinceNanos;

    FencedSocket(LinkConfig config, PacketFence.Watcher watcher) {
        this.config = config;
        this.watcher = watcher;
    }

    /** A factory that knows this socket alone. */
    SocketFactory factory() {
        return new SocketFactory() {
            @Override
            public Socket createSocket() {
                return FencedSocket.this;
            }

            @Override
            public Socket createSocket(String host, int port) throws IOException {
                throw new SocketException("the library was to connect by itself");
            }

            @Override
            public Socket createSocket(String host, int port, java.net.InetAddress local, int localPort)
                    throws IOException {
                return createSocket(host, port);
            }

            @Override
            public Socket createSocket(java.net.InetAddress host, int port) throws IOException {
                return createSocket("", port);
            }

            @Override
            public Socket createSocket(java.net.InetAddress host, int port, java.net.InetAddress local, int localPort)
                    throws IOException {
                return createSocket("", port);
            }
        };
    }

    @Override
    public void connect(SocketAddress ignored, int ignoredMillis) throws IOException {
        try {
            BrokerAddress broker = config.broker();
            InetSocketAddress address = new InetSocketAddress(broker.host(), broker.port());
            if (address.isUnresolved()) {
                throw new UnknownHostException(broker.host());
            }
            // A packet must not wait for the acknowledgement of the one before, which a kernel delays by 40 ms.
            plain.setTcpNoDelay(true);
            plain.connect(address, (int) config.pace().answer().toMillis());
            if (broker.tls()) {
                talking = secured(broker);
            }
            talking.setSoTimeout(LOOK_MILLIS);
            fence = new PacketFence(
                    new BufferedInputStream(talking.getInputStream(), BUFFER_BYTES), spoken, plain::isClosed, told);
        } catch (IOException e) {
            watcher.failed(e);
            throw e;
        }
    }

    private Socket secured(BrokerAddress broker) throws IOException {
        SSLSocketFactory factory = AccessTls.sockets(config.access(), Instant.now());
        SSLSocket tls = (SSLSocket) factory.createSocket(plain, broker.host(), broker.port(), true);
        SSLParameters parameters = tls.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        tls.setSSLParameters(parameters);
        tls.startHandshake();
        return tls;
    }

    /** Whether the handshake is over on our side: with TLS 1.3 the broker may still refuse our certificate. */
    boolean isSecured() {
        return talking instanceof SSLSocket;
    }

    /** The times of what is read; empty before it is connected. */
    @Nullable
    PacketFence fence() {
        return fence;
    }

    long writingSinceNanos() {
        return writingSinceNanos;
    }

    /** The library wants another one; between two packets this one's own counts, and within one a deadline of the connection. */
    @Override
    public void setSoTimeout(int millis) {}

    @Override
    public InputStream getInputStream() throws IOException {
        PacketFence in = fence;
        if (in == null) {
            throw new SocketException("not connected");
        }
        return in;
    }

    @Override
    public OutputStream getOutputStream() throws IOException {
        return new WatchedOutput(talking.getOutputStream());
    }

    @Override
    public boolean isConnected() {
        return talking.isConnected();
    }

    @Override
    public boolean isClosed() {
        return plain.isClosed();
    }

    @Override
    public void shutdownOutput() {}

    @Override
    public void shutdownInput() {}

    /** The library gives up, and says why elsewhere: what its own reader and writer make of that is no cause. */
    @Override
    public void close() {
        givenUpNanos.compareAndSet(0, System.nanoTime());
        end();
    }

    /** Ends the connection over the library's head. */
    void end() {
        try {
            plain.close();
        } catch (IOException e) {
            // It is closed for us all the same.
        }
    }

    /** For how long the library has been done with it; 0 while it is not. */
    long givenUpNanos() {
        long since = givenUpNanos.get();
        return since == 0 ? 0 : System.nanoTime() - since;
    }

    private void failed(IOException failure) {
        if (givenUpNanos.get() == 0) {
            watcher.failed(failure);
        }
    }

    private final class WatchedOutput extends OutputStream {
        private final OutputStream out;

        WatchedOutput(OutputStream out) {
            this.out = out;
        }

        @Override
        public void write(int octet) throws IOException {
            write(new byte[] {(byte) octet}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int from, int length) throws IOException {
            spoken.countDown();
            writingSinceNanos = System.nanoTime();
            try {
                out.write(bytes, from, length);
            } catch (IOException e) {
                failed(e);
                throw e;
            } finally {
                writingSinceNanos = 0;
            }
        }

        @Override
        public void flush() throws IOException {
            out.flush();
        }
    }
}
