package dev.holdfast.link;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.KeyManager;

/**
 * What a client shows a broker, and whom it takes for the broker. It names files and holds nothing of what is in them: they are read anew
 * for each connection, so that a renewed password, certificate or list counts from the next one on.
 *
 * @param login for {@code CONNECT}; none is sent where empty
 * @param key for TLS; the client stays anonymous where empty
 * @param authorities PEM, whoever may have signed the broker's certificate, in as many files as they come in; the JDK's list where
 *     there is no file. The broker's name is compared with its certificate in any case
 */
public record BrokerAccess(Optional<Login> login, Optional<ClientKey> key, List<Path> authorities) {
    /** Nothing is shown, and the JDK's list counts. */
    public static final BrokerAccess ANONYMOUS = new BrokerAccess(Optional.empty(), Optional.empty(), List.of());

    private static final int MAX_USER_CHARS = 256;

    public BrokerAccess {
        authorities = List.copyOf(authorities);
    }

    /**
     * @param user 1 to 256 characters, none of them a control character
     * @param password a file whose first line it is, which others than its owner and group cannot read
     */
    public record Login(String user, Optional<Path> password) {
        public Login {
            if (!isUser(user)) {
                throw new IllegalArgumentException("no user name");
            }
        }
    }

    /** The key of a client with TLS. */
    public sealed interface ClientKey {
        /**
         * @param certificate PEM, the client's and whatever is between it and what the broker trusts
         * @param key PEM, not encrypted, which others than its owner and group cannot read
         */
        record Files(Path certificate, Path key) implements ClientKey {}

        /** A key that no file holds. It is asked once for each connection. */
        @FunctionalInterface
        non-sealed interface Held extends ClientKey {
            KeyManager manager() throws IOException;
        }
    }

    /** The same with another key. */
    public BrokerAccess with(ClientKey other) {
        return new BrokerAccess(login, Optional.of(other), authorities);
    }

    /**
     * What a person configured; empty text and absent paths are what was not. {@code CFG-INVALID} where it does not fit together, or a
     * password would go over a network in the clear.
     *
     * @param prefix of the names under which a person knows them: {@code broker-user} for {@code broker-}
     */
    public static Verdict<BrokerAccess> configured(BrokerAddress broker, String prefix, Settings settings) {
        return Verdict.of(() -> {
            String user = settings.user();
            if (user.isEmpty() && settings.password().isPresent()) {
                throw invalid(prefix + "password-file needs " + prefix + "user");
            }
            if (!user.isEmpty() && !isUser(user)) {
                throw invalid(prefix + "user must have 1 to " + MAX_USER_CHARS
                        + " characters, none of them a control character");
            }
            if (settings.certificate().isPresent() != settings.key().isPresent()) {
                throw invalid(prefix + "certificate and " + prefix + "key go together: set both, or neither");
            }
            if (!broker.tls() && settings.key().isPresent()) {
                throw invalid(
                        prefix + "key is used with TLS alone: write mqtts:// instead of mqtt://, or leave it out");
            }
            if (!broker.tls() && settings.password().isPresent() && !broker.isLoopback()) {
                throw invalid(
                        "the password would cross the network in the clear: write mqtts:// instead of mqtt:// for "
                                + broker.host());
            }
            return new BrokerAccess(
                    user.isEmpty() ? Optional.empty() : Optional.of(new Login(user, settings.password())),
                    settings.certificate()
                            .map(file ->
                                    new ClientKey.Files(file, settings.key().orElseThrow())),
                    settings.authorities());
        });
    }

    /** As a configuration has it. */
    public record Settings(
            String user,
            Optional<Path> password,
            Optional<Path> certificate,
            Optional<Path> key,
            List<Path> authorities) {
        public static final Settings NONE =
                new Settings("", Optional.empty(), Optional.empty(), Optional.empty(), List.of());

        public Settings {
            authorities = List.copyOf(authorities);
        }
    }

    private static boolean isUser(String text) {
        return !text.isEmpty()
                && text.length() <= MAX_USER_CHARS
                && text.chars().noneMatch(each -> Character.isISOControl(each) || Character.isSurrogate((char) each));
    }

    private static RejectedException invalid(String detail) {
        return new RejectedException(Code.CFG_INVALID, detail);
    }
}
