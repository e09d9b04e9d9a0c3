package dev.holdfast.tee;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/**
 * The key manager of a TLS client whose key is the device signer in the TEE. The certificate is read anew at each handshake, so that one which
 * arrives with enrolment is used from the next connection on; without one the client stays anonymous. A handshake costs
 * one signature in the TEE.
 */
public final class DeviceTls {
    private static final String ALIAS = "device";
    private static final int MAX_PEM_BYTES = 64 * 1024;

    private DeviceTls() {}

    /** @param certificate PEM, the device's certificate and whatever is between it and the server's trust anchor */
    public static X509ExtendedKeyManager keys(DeviceSigner signer, Path certificate) {
        return new SignerKeys(TeeKeyProvider.keyOf(signer), certificate);
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
