package dev.holdfast.tee.pkcs11;

import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.CompositeBridge;
import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeDescription;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeThread;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.security.AuthProvider;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.ProviderException;
import java.security.Security;
import java.security.Signature;
import java.security.SignatureException;
import java.security.interfaces.ECPublicKey;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import javax.security.auth.login.LoginException;
import org.jspecify.annotations.Nullable;

/**
 * A PKCS #11 token: OP-TEE by {@code libckteec}, a TPM by {@code tpm2-pkcs11}, SoftHSM2. It holds the device's key and
 * checks anchors' signatures; it has no register, no counter, no place for the factory root and quotes nothing, so
 * those are absent ({@link CompositeBridge} adds files for them). A token that went away is looked for again by the next
 * operation. One thread, {@code tee}; a call that exceeds its deadline fails, and so do those behind it until the module
 * returns. Thread-safe.
 */
public final class Pkcs11Bridge implements TeeBridge {
    private static final Duration DEADLINE = Duration.ofSeconds(30);
    /** Signature over a digest that is computed already; r || s as COSE wants it. */
    private static final String ALGORITHM = "NONEwithECDSAinP1363Format";

    private static final int MAX_PIN_BYTES = 256;
    private static final Set<PosixFilePermission> OWNER =
            Set.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE);
    private static final AtomicInteger NUMBER = new AtomicInteger();

    private final Pkcs11Uri uri;
    private final TeeThread thread = new TeeThread(DEADLINE);
    private final TeeDescription description;
    private final ECPublicKey publicKey;
    private final boolean checksAnchors;
    /** Of the thread {@code tee} alone. */
    private @Nullable Session session;

    /** @param verifies whether the module takes public keys from outside to check signatures with; tpm2-pkcs11 takes none on a curve */
    private record Session(
            Provider provider, Pkcs11Slots.Slot slot, Pkcs11Keys.Held held, KeyStore store, boolean verifies) {}

    private Pkcs11Bridge(Pkcs11Uri uri) throws TeeException {
        this.uri = uri;
        try {
            Session first = thread.call(() -> {
                Session fresh = login(uri);
                session = fresh;
                return fresh;
            });
            this.publicKey = first.held().publicKey();
            this.checksAnchors = first.verifies();
            this.description = describe(uri, first.slot());
        } catch (TeeException | RuntimeException e) {
            thread.close();
            throw e;
        }
    }

    /**
     * Logs in and finds the key, or makes it at the first time.
     *
     * @throws TeeException {@code TEE-UNAVAILABLE} where module or token is not there, {@code TEE-PIN} where the PIN is
     *     wrong or others can read its file, {@code TEE-LOCKOUT} where the token takes no PIN any more or has one try
     *     left, {@code TEE-REFUSED} where the key could be read out
     */
    public static Pkcs11Bridge open(Pkcs11Uri uri) throws TeeException {
        return new Pkcs11Bridge(uri);
    }

    @Override
    public TeeDescription describe() {
        return description;
    }

    @Override
    public Optional<DeviceSigner> signer() {
        return Optional.of(new DeviceSigner() {
            @Override
            public ECPublicKey publicKey() {
                return publicKey;
            }

            @Override
            public byte[] sign(Sha256 digest) throws TeeException {
                return thread.call(() -> {
                    Session open = session();
                    return attempt(
                            "signing",
                            () -> inToken(open.provider(), open.held().key(), digest));
                });
            }
        });
    }

    @Override
    public Optional<AnchorVerifier> anchorVerifier() {
        if (!checksAnchors) {
            return Optional.empty();
        }
        return Optional.of((key, digest, signature) -> {
            if (signature.length != P256.SIGNATURE_BYTES) {
                return false;
            }
            return thread.call(() -> {
                Session open = session();
                return attempt("verifying", () -> verifies(open.provider(), key, digest, signature));
            });
        });
    }

    @Override
    public Optional<Provisioner> provisioner() {
        return Optional.of(new Pkcs11Provisioner(() -> thread.call(this::remove)));
    }

    private String remove() throws TeeException {
        Session open = session();
        return attempt("removing the key", () -> {
            open.store().deleteEntry(uri.object());
            session = null;
            return "key and certificate " + uri.object() + " in the token " + uri.token();
        });
    }

    @Override
    public void close() {
        thread.close(this::logout);
    }

    private Session session() throws TeeException {
        Session open = session;
        if (open == null) {
            open = login(uri);
            if (!P256.encode(open.held().publicKey()).equals(P256.encode(publicKey))) {
                throw new TeeException(Code.TEE_REFUSED, "another token came back under the label " + uri.token());
            }
            session = open;
        }
        return open;
    }

    private void logout() {
        Session open = session;
        session = null;
        if (open != null && open.provider() instanceof AuthProvider token) {
            try {
                token.logout();
            } catch (LoginException | ProviderException e) {
                // The token is gone, and the login with it.
            }
        }
    }

    @FunctionalInterface
    private interface Work<T> {
        T run() throws GeneralSecurityException;
    }

    private <T> T attempt(String what, Work<T> work) throws TeeException {
        try {
            return work.run();
        } catch (GeneralSecurityException | ProviderException e) {
            logout(); // Whatever it was, the next operation starts from a fresh login.
            throw failure(what, e);
        }
    }

    private static byte[] inToken(Provider provider, PrivateKey key, Sha256 digest) throws GeneralSecurityException {
        Signature signature = Signature.getInstance(ALGORITHM, provider);
        signature.initSign(key);
        signature.update(digest.toArray());
        return signature.sign();
    }

    private static boolean verifies(Provider provider, ECPublicKey key, Sha256 digest, byte[] signatureP1363)
            throws GeneralSecurityException {
        Signature signature = Signature.getInstance(ALGORITHM, provider);
        signature.initVerify(key);
        signature.update(digest.toArray());
        try {
            return signature.verify(signatureP1363);
        } catch (SignatureException e) {
            if (named(e).equals("CKR_SIGNATURE_INVALID") || named(e).equals("CKR_SIGNATURE_LEN_RANGE")) {
                return false;
            }
            throw e;
        }
    }

    private static Session login(Pkcs11Uri uri) throws TeeException {
        requirePinned(uri);
        char[] pin = pin(uri.pinSource());
        try {
            Pkcs11Slots.Slot slot = Pkcs11Slots.find(uri.module(), uri.token());
            if ((slot.flags() & (Pkcs11Slots.USER_PIN_LOCKED | Pkcs11Slots.USER_PIN_FINAL_TRY)) != 0) {
                // A daemon that starts again and again must not take the last try from a person.
                throw new TeeException(
                        Code.TEE_LOCKOUT, "the PIN of " + uri.token() + " is locked, or its next failure locks it");
            }
            Provider provider = provider(uri, slot);
            KeyStore store = KeyStore.getInstance("PKCS11", provider);
            store.load(null, pin);
            Pkcs11Keys.Held held = Pkcs11Keys.in(store, provider, uri.object());
            // Key and certificate were found by their label alone: that they belong together is tried.
            Sha256 probe = Sha256.of("holdfast-token-probe".getBytes(StandardCharsets.US_ASCII));
            byte[] signature = inToken(provider, held.key(), probe);
            if (!P256.verify(held.publicKey(), probe, signature)) {
                throw new TeeException(Code.TEE_REFUSED, "certificate and key " + uri.object() + " do not match");
            }
            return new Session(provider, slot, held, store, canVerify(provider, held.publicKey(), probe, signature));
        } catch (GeneralSecurityException | IOException | ProviderException e) {
            throw failure("the token " + uri.token(), e);
        } finally {
            Arrays.fill(pin, '\0');
        }
    }

    private static boolean canVerify(Provider provider, ECPublicKey key, Sha256 digest, byte[] signature)
            throws GeneralSecurityException {
        try {
            return verifies(provider, key, digest, signature);
        } catch (GeneralSecurityException | ProviderException e) {
            if (failure("verifying", e).code() == Code.TEE_REFUSED) {
                return false;
            }
            throw e;
        }
    }

    private static Provider provider(Pkcs11Uri uri, Pkcs11Slots.Slot slot) throws TeeException {
        Provider blank = Security.getProvider("SunPKCS11");
        if (blank == null) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "this Java runtime lacks the module jdk.crypto.cryptoki");
        }
        // The two dashes say that the configuration itself follows, not a file's name.
        return blank.configure("""
                --name = Holdfast%d
                library = %s
                slot = %d
                attributes(generate, CKO_PRIVATE_KEY, CKK_EC) = {
                  CKA_TOKEN = false
                  CKA_PRIVATE = true
                  CKA_SENSITIVE = true
                  CKA_EXTRACTABLE = false
                  CKA_SIGN = true
                }
                """.formatted(NUMBER.incrementAndGet(), uri.module(), slot.id()));
    }

    private static void requirePinned(Pkcs11Uri uri) throws TeeException {
        try {
            if (uri.moduleDigest().isPresent() && !uri.moduleDigest().get().equals(Sha256.ofFile(uri.module()))) {
                throw new TeeException(Code.TEE_REFUSED, uri.module() + " is not the module that is pinned");
            }
        } catch (IOException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, uri.module() + " cannot be read", e);
        }
    }

    private static char[] pin(Path file) throws TeeException {
        try {
            if (!OWNER.containsAll(Files.getPosixFilePermissions(file))) {
                throw new TeeException(Code.TEE_PIN, file + " must be its owner's alone: chmod 0600");
            }
            byte[] bytes = Files.readAllBytes(file);
            String text = new String(bytes, StandardCharsets.UTF_8).stripTrailing();
            if (bytes.length > MAX_PIN_BYTES || text.isEmpty()) {
                throw new TeeException(Code.TEE_PIN, file + " must hold 1 to " + MAX_PIN_BYTES + " bytes");
            }
            return text.toCharArray();
        } catch (IOException e) {
            throw new TeeException(Code.TEE_PIN, file + " cannot be read", e);
        }
    }

    private static TeeDescription describe(Pkcs11Uri uri, Pkcs11Slots.Slot slot) {
        // Anyone can write these strings; they only ever lower what the operator vouches for.
        boolean software = (slot.manufacturer() + slot.model()).contains("SoftHSM");
        boolean emulated = slot.manufacturer().startsWith("IBM") && slot.model().startsWith("SW");
        Assurance most = software ? Assurance.SOFTWARE : emulated ? Assurance.EMULATED : Assurance.HARDWARE;
        return new TeeDescription(
                TeeDescription.Kind.PKCS11,
                uri.assurance().compareTo(most) < 0 ? uri.assurance() : most,
                "token " + slot.label() + " (" + slot.manufacturer() + ", " + slot.model() + ", serial " + slot.serial()
                        + ") by " + uri.module());
    }

    /** The token's own error, whose name the provider carries in the innermost message, as one of our codes. */
    static TeeException failure(String what, Exception e) {
        String name = named(e);
        Code code = switch (name) {
            case "CKR_PIN_LOCKED" -> Code.TEE_LOCKOUT;
            case "CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE", "CKR_PIN_EXPIRED" -> Code.TEE_PIN;
            case "CKR_DEVICE_ERROR",
                    "CKR_DEVICE_REMOVED",
                    "CKR_TOKEN_NOT_PRESENT",
                    "CKR_GENERAL_ERROR",
                    "CKR_SESSION_CLOSED",
                    "CKR_SESSION_HANDLE_INVALID",
                    "CKR_KEY_HANDLE_INVALID",
                    "CKR_OBJECT_HANDLE_INVALID",
                    "CKR_USER_NOT_LOGGED_IN",
                    "CKR_CRYPTOKI_NOT_INITIALIZED" -> Code.TEE_UNAVAILABLE;
            default -> Code.TEE_REFUSED;
        };
        return new TeeException(code, what + ": " + (name.isEmpty() ? e.toString() : name), e);
    }

    /** PKCS11Exception is of a package that is not exported; its message is the name of the return value. */
    private static String named(Throwable e) {
        for (@Nullable Throwable at = e; at != null; at = at.getCause()) {
            String message = at.getMessage();
            if (message != null && message.startsWith("CKR_")) {
                return message.split("[^A-Z0-9_]", 2)[0];
            }
        }
        return "";
    }
}
