package dev.holdfast.fleet;

import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.trust.signing.SigningKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The keys of each role, {@code keys/<role>-<kind>.pem}. Every role signs with keys of two families and all must sign;
 * root and targets add the ECDSA key that a device's TEE can verify. Of the root's keys there are two of each family and three must sign:
 * any one of them may be lost, and no family is enough alone.
 */
public enum FleetKeys {
    ROOT(3, KeyKind.ED25519, KeyKind.ML_DSA_65, KeyKind.ECDSA_P256, KeyKind.ML_DSA_87),
    TARGETS(3, KeyKind.ED25519, KeyKind.ML_DSA_65, KeyKind.ECDSA_P256),
    SNAPSHOT(2, KeyKind.ED25519, KeyKind.ML_DSA_44),
    TIMESTAMP(2, KeyKind.ED25519, KeyKind.ML_DSA_44),
    DIRECTOR(2, KeyKind.ED25519, KeyKind.ML_DSA_44);

    private final int threshold;
    private final List<KeyKind> kinds;

    FleetKeys(int threshold, KeyKind... kinds) {
        this.threshold = threshold;
        this.kinds = List.of(kinds);
    }

    Path file(Path directory, KeyKind kind) {
        String name = name() + "-" + kind.name().replace('_', '-');
        return directory.resolve(name.toLowerCase(Locale.ROOT) + ".pem");
    }

    /** Makes and stores fresh keys; never overwrites one. */
    RoleSigner generate(Path directory) throws IOException {
        List<SigningKey> keys = new ArrayList<>();
        for (KeyKind kind : kinds) {
            SigningKey key = SigningKey.generate(kind);
            key.save(file(directory, kind));
            keys.add(key);
        }
        return new RoleSigner(keys, threshold);
    }

    public RoleSigner load(Path directory) throws IOException {
        List<SigningKey> keys = new ArrayList<>();
        for (KeyKind kind : kinds) {
            keys.add(SigningKey.load(kind, file(directory, kind)));
        }
        return new RoleSigner(keys, threshold);
    }

    /** The keys of this role that are in a directory: one holder's share. */
    public List<SigningKey> loadPresent(Path directory) throws IOException {
        List<SigningKey> keys = new ArrayList<>();
        for (KeyKind kind : kinds) {
            if (Files.exists(file(directory, kind))) {
                keys.add(SigningKey.load(kind, file(directory, kind)));
            }
        }
        return keys;
    }

    static RoleSigners generateAll(Path directory) throws IOException {
        return new RoleSigners(
                ROOT.generate(directory),
                TARGETS.generate(directory),
                SNAPSHOT.generate(directory),
                TIMESTAMP.generate(directory),
                DIRECTOR.generate(directory));
    }
}
