package dev.holdfast.link;

import dev.holdfast.wire.Code;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/**
 * TLS for one connection, from what the files hold at that moment. Each has a context of its own, so that no session of an earlier
 * certificate is resumed.
 */
final class AccessTls {
    private static final char[] NO_PASSWORD = new char[0];

    private AccessTls() {}

    static SSLSocketFactory sockets(BrokerAccess access, Instant now) throws IOException {
        try {
            KeyManager @Nullable [] keys =
                    access.key().isPresent() ? keys(access.key().get(), now) : null;
            TrustManager @Nullable [] trust = access.authorities().isEmpty() ? null : trust(access.authorities());
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(keys, trust, null);
            return context.getSocketFactory();
        } catch (GeneralSecurityException e) {
            throw new LinkException(Code.LNK_TLS, "no TLS can be prepared: " + e.getMessage(), e);
        }
    }

    private static KeyManager[] keys(BrokerAccess.ClientKey key, Instant now)
            throws IOException, GeneralSecurityException {
        return switch (key) {
            case BrokerAccess.ClientKey.Held held -> new KeyManager[] {held.manager()};
            case BrokerAccess.ClientKey.Files(Path certificate, Path secret) -> {
                List<X509Certificate> chain = AccessFiles.certificates(certificate);
                Instant until = chain.getFirst().getNotAfter().toInstant();
                if (now.isAfter(until)) {
                    throw new LinkException(
                            Code.LNK_EXPIRED, certificate + ": the client's certificate was valid until " + until);
                }
                KeyStore store = empty();
                store.setKeyEntry(
                        "client",
                        AccessFiles.key(secret, chain.getFirst()),
                        NO_PASSWORD,
                        chain.toArray(X509Certificate[]::new));
                KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
                factory.init(store, NO_PASSWORD);
                yield factory.getKeyManagers();
            }
        };
    }

    private static TrustManager[] trust(List<Path> authorities) throws IOException, GeneralSecurityException {
        KeyStore store = empty();
        int number = 0;
        for (Path file : authorities) {
            for (X509Certificate authority : AccessFiles.certificates(file)) {
                store.setCertificateEntry("authority-" + number++, authority);
            }
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }

    private static KeyStore empty() throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }
}
