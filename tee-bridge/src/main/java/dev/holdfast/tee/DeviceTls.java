package dev.holdfast.tee;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Supplier;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/**
 * A TLS client whose key is the device signer in the TEE. The certificate is read anew at each handshake, so that one which
 * arrives with enrolment is used from the next connection on; without one the client stays anonymous. A handshake costs
 * one signature in the TEE.
 */
public final class DeviceTls {
    private static final String ALIAS = "device";
    private static final int MAX_PEM_BYTES = 64 * 1024;

    private DeviceTls() {}

    /**
     * @param protocol {@code TLS}, or the newest version to offer: {@code TLSv1.2}, {@code TLSv1.3}
     * @param certificate PEM, the device's certificate and whatever is between it and the server's trust anchor
     * @param authorities PEM, whom to trust for the server; the JDK's list where empty
     */
    public static SSLContext client(String protocol, DeviceSigner signer, Path certificate, Optional<Path> authorities)
            throws IOException {
        try {
            SSLContext context = SSLContext.getInstance(protocol);
            TrustManager @Nullable [] trust = authorities.isPresent() ? trust(authorities.get()) : null;
            KeyManager[] keys = {keys(signer, certificate)};
            context.init(keys, trust, null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new IOException("no TLS context", e);
        }
    }

    /**
     * Sockets with a context of their own each: no session of an earlier certificate is taken up again, and what is in the files now
     * counts.
     *
     * @param certificate asked once for each connection, for a file as in {@link #client}
     */
    public static SSLSocketFactory sockets(
            DeviceSigner signer, Supplier<Path> certificate, Optional<Path> authorities) {
        return new FreshSockets(signer, certificate, authorities);
    }

    /** The key alone, for libraries that make their own context; the certificate is read anew at each handshake. */
    public static X509ExtendedKeyManager keys(DeviceSigner signer, Path certificate) {
        return new SignerKeys(TeeKeyProvider.keyOf(signer), certificate);
    }

    private static TrustManager[] trust(Path authorities) throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        int number = 0;
        for (X509Certificate authority : read(authorities)) {
            store.setCertificateEntry("authority-" + number++, authority);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }

    private static X509Certificate[] read(Path pem) throws IOException, GeneralSecurityException {
        if (Files.size(pem) > MAX_PEM_BYTES) {
            throw new IOException(pem + " is longer than " + MAX_PEM_BYTES + " bytes");
        }
        var stream = new ByteArrayInputStream(Files.readAllBytes(pem));
        X509Certificate[] chain = CertificateFactory.getInstance("X.509").generateCertificates(stream).stream()
                .map(X509Certificate.class::cast)
                .toArray(X509Certificate[]::new);
        if (chain.length == 0) {
            throw new IOException(pem + " holds no certificate");
        }
        return chain;
    }

    private static final class FreshSockets extends SSLSocketFactory {
        private final DeviceSigner signer;
        private final Supplier<Path> certificate;
        private final Optional<Path> authorities;

        FreshSockets(DeviceSigner signer, Supplier<Path> certificate, Optional<Path> authorities) {
            this.signer = signer;
            this.certificate = certificate;
            this.authorities = authorities;
        }

        private SSLSocketFactory fresh() throws IOException {
            return client("TLS", signer, certificate.get(), authorities).getSocketFactory();
        }

        @Override
        public Socket createSocket() throws IOException {
            return fresh().createSocket();
        }

        @Override
        public Socket createSocket(Socket socket, String host, int port, boolean autoClose) throws IOException {
            return fresh().createSocket(socket, host, port, autoClose);
        }

        @Override
        public Socket createSocket(String host, int port) throws IOException {
            return fresh().createSocket(host, port);
        }

        @Override
        public Socket createSocket(String host, int port, InetAddress localHost, int localPort) throws IOException {
            return fresh().createSocket(host, port, localHost, localPort);
        }

        @Override
        public Socket createSocket(InetAddress host, int port) throws IOException {
            return fresh().createSocket(host, port);
        }

        @Override
        public Socket createSocket(InetAddress address, int port, InetAddress localAddress, int localPort)
                throws IOException {
            return fresh().createSocket(address, port, localAddress, localPort);
        }

        @Override
        public String[] getDefaultCipherSuites() {
            return ((SSLSocketFactory) SSLSocketFactory.getDefault()).getDefaultCipherSuites();
        }

        @Override
        public String[] getSupportedCipherSuites() {
            return ((SSLSocketFactory) SSLSocketFactory.getDefault()).getSupportedCipherSuites();
        }
    }

    /** One key, one certificate; the role of a server is not taken. */
    private static final class SignerKeys extends X509ExtendedKeyManager {
        private final PrivateKey key;
        private final Path certificate;

        SignerKeys(PrivateKey key, Path certificate) {
            this.key = key;
            this.certificate = certificate;
        }

        private @Nullable String choose(String[] keyTypes) {
            return Arrays.asList(keyTypes).contains("EC") && Files.isReadable(certificate) ? ALIAS : null;
        }

        @Override
        public @Nullable String chooseClientAlias(
                String[] keyTypes, Principal @Nullable [] issuers, @Nullable Socket socket) {
            return choose(keyTypes);
        }

        @Override
        public @Nullable String chooseEngineClientAlias(
                String[] keyTypes, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
            return choose(keyTypes);
        }

        @Override
        public X509Certificate @Nullable [] getCertificateChain(String alias) {
            try {
                return read(certificate);
            } catch (IOException | GeneralSecurityException e) {
                return null; // The handshake goes on without a certificate, and the server says what it thinks of that.
            }
        }

        @Override
        public PrivateKey getPrivateKey(String alias) {
            return key;
        }

        @Override
        public String @Nullable [] getClientAliases(String keyType, Principal @Nullable [] issuers) {
            String alias = choose(new String[] {keyType});
            return alias == null ? null : new String[] {alias};
        }

        @Override
        public String @Nullable [] getServerAliases(String keyType, Principal @Nullable [] issuers) {
            return null;
        }

        @Override
        public @Nullable String chooseServerAlias(
                String keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
            return null;
        }
    }
}
