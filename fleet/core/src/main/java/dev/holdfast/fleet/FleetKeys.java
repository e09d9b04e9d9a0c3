package dev.holdfast.fleet;

import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.signing.Passphrase;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The keys of each role, {@code keys/<role>-<kind>.pem}. Every role signs with keys of two families and all must sign;
 * root and targets add the ECDSA key that a device's TEE can verify. Of the root's keys there are two of each family and three must sign:
 * any one of them may be lost, and no family is enough alone. Which roles a running service signs for is {@link #isOnline}; the keys of
 * the others may be anywhere.
 */
public enum FleetKeys {
    ROOT(3, KeyKind.ED25519, KeyKind.ML_DSA_65, KeyKind.ECDSA_P256, KeyKind.ML_DSA_87),
    TARGETS(3, KeyKind.ED25519, KeyKind.ML_DSA_65, KeyKind.ECDSA_P256),
    REVOCATIONS(2, KeyKind.ED25519, KeyKind.ML_DSA_65),
    SNAPSHOT(2, KeyKind.ED25519, KeyKind.ML_DSA_44),
    TIMESTAMP(2, KeyKind.ED25519, KeyKind.ML_DSA_44),
    DIRECTOR(2, KeyKind.ED25519, KeyKind.ML_DSA_44);

    private final int threshold;
    private final List<KeyKind> kinds;

    FleetKeys(int threshold, KeyKind... kinds) {
        this.threshold = threshold;
        this.kinds = List.of(kinds);
    }

    /** Whether the service signs for it while it runs. */
    public boolean isOnline() {
        return this == SNAPSHOT || this == TIMESTAMP || this == DIRECTOR;
    }

    /** The role's name in metadata. */
    public String role() {
        return name().toLowerCase(Locale.ROOT);
    }

    private String fileName(KeyKind kind) {
        return (name() + "-" + kind.name().replace('_', '-')).toLowerCase(Locale.ROOT) + ".pem";
    }

    Path file(Path directory, KeyKind kind) {
        return directory.resolve(fileName(kind));
    }

    /** Makes and stores fresh keys; never overwrites one. */
    RoleSigner generate(Path directory) throws IOException {
        return generate(directory, Optional.empty());
    }

    /** The same, encrypted where there is a passphrase. */
    RoleSigner generate(Path directory, Optional<char[]> passphrase) throws IOException {
        List<SigningKey> keys = new ArrayList<>();
        for (KeyKind kind : kinds) {
            SigningKey key = SigningKey.generate(kind);
            if (passphrase.isPresent()) {
                key.save(file(directory, kind), passphrase.get());
            } else {
                key.save(file(directory, kind));
            }
            keys.add(key);
        }
        return new RoleSigner(keys, threshold);
    }

    /** All keys of the role; {@code FLT-KEYS} where some are in none of the folders. */
    public RoleSigner load(KeyFolders folders) throws IOException, RejectedException {
        List<SigningKey> keys = new ArrayList<>();
        List<String> missing = missing(folders);
        if (!missing.isEmpty()) {
            throw new RejectedException(
                    Code.FLT_KEYS,
                    "keys of the role " + role() + " are missing: " + String.join(", ", missing) + ", looked for in "
                            + folders);
        }
        for (KeyKind kind : kinds) {
            keys.add(SigningKey.load(kind, folders.find(fileName(kind)).orElseThrow(), folders.passphrase()));
        }
        return new RoleSigner(keys, threshold);
    }

    public RoleSigner load(Path directory) throws IOException, RejectedException {
        return load(KeyFolders.of(directory));
    }

    /** Names of this role's files that are in none of the folders; empty where the role can sign. */
    List<String> missing(KeyFolders folders) {
        return kinds.stream()
                .map(this::fileName)
                .filter(name -> folders.find(name).isEmpty())
                .toList();
    }

    /** The keys of this role that are in a directory: one holder's share. */
    public List<SigningKey> loadPresent(Path directory) throws IOException, RejectedException {
        return loadPresent(directory, Passphrase.NONE);
    }

    /** The same where they may be encrypted; {@code FLT-KEYS} where the passphrase does not open them. */
    public List<SigningKey> loadPresent(Path directory, Passphrase passphrase) throws IOException, RejectedException {
        List<SigningKey> keys = new ArrayList<>();
        for (KeyKind kind : kinds) {
            if (Files.exists(file(directory, kind))) {
                keys.add(SigningKey.load(kind, file(directory, kind), passphrase));
            }
        }
        return keys;
    }

    /**
     * Makes the keys of all roles that every root names.
     *
     * @param offline folder for those that the service needs not, which may be the same
     * @param passphrase of those; empty where they are not encrypted
     */
    static RoleSigners generateAll(Path online, Path offline, Optional<char[]> passphrase) throws IOException {
        return new RoleSigners(
                ROOT.generate(offline, passphrase),
                TARGETS.generate(offline, passphrase),
                SNAPSHOT.generate(online),
                TIMESTAMP.generate(online),
                DIRECTOR.generate(online));
    }
}
