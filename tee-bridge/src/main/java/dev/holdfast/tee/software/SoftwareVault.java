package dev.holdfast.tee.software;

import com.google.crypto.tink.Aead;
import com.google.crypto.tink.Configuration;
import com.google.crypto.tink.InsecureSecretKeyAccess;
import com.google.crypto.tink.KeysetHandle;
import com.google.crypto.tink.RegistryConfiguration;
import com.google.crypto.tink.TinkJsonProtoKeysetFormat;
import com.google.crypto.tink.aead.AeadConfig;
import com.google.crypto.tink.aead.PredefinedAeadParameters;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.GeneralSecurityException;
import java.util.Set;

/** The software bridge's directory: a lock, the AEAD keyset in clear (0600), and the state under that AEAD. */
final class SoftwareVault implements AutoCloseable {
    private static final byte[] STATE_LABEL = "holdfast-software-tee-1".getBytes(StandardCharsets.US_ASCII);

    private static final String KEYSET = "keyset.json";

    private final Path stateFile;
    private final Disk disk;
    private final FileChannel lockChannel;
    private final Aead aead;

    private SoftwareVault(Path stateFile, Disk disk, FileChannel lockChannel, Aead aead) {
        this.stateFile = stateFile;
        this.disk = disk;
        this.lockChannel = lockChannel;
        this.aead = aead;
    }

    static SoftwareVault open(Path dir, Disk disk) throws TeeException {
        try {
            disk.createDirectories(dir, Disk.Access.PRIVATE);
            // Nobody reads the lock after a crash, so it needs no seam.
            FileChannel channel = FileChannel.open(
                    dir.resolve("lock"),
                    Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
                    Disk.Access.PRIVATE.ofFile());
            boolean opened = false;
            try {
                SoftwareVault vault =
                        new SoftwareVault(dir.resolve("state"), disk, locked(channel, dir), aead(dir, disk));
                opened = true;
                return vault;
            } finally {
                if (!opened) {
                    channel.close();
                }
            }
        } catch (IOException | GeneralSecurityException e) {
            throw new TeeException(
                    Code.TEE_STATE,
                    "the software bridge cannot be opened in " + dir + " (" + e.getMessage()
                            + "): where its files are damaged, remove " + dir + ", then holdfast provision --again",
                    e);
        }
    }

    Aead aead() {
        return aead;
    }

    SoftwareState load(String bootId) throws TeeException {
        try {
            if (!Files.exists(stateFile)) {
                SoftwareState fresh = SoftwareState.fresh(bootId);
                store(fresh);
                return fresh;
            }
            if (Files.size(stateFile) > 2L * SoftwareState.MAX_BYTES) {
                throw new TeeException(Code.TEE_STATE, "the state file is too long");
            }
            byte[] plain = aead.decrypt(Files.readAllBytes(stateFile), STATE_LABEL);
            SoftwareState known = switch (SoftwareState.decode(plain)) {
                case Verdict.Accepted<SoftwareState>(SoftwareState state) -> state;
                case Verdict.Rejected<SoftwareState>(var reason) ->
                    throw new TeeException(Code.TEE_STATE, reason.toString());
            };
            SoftwareState now = known.booted(bootId);
            if (now != known) {
                store(now);
            }
            return now;
        } catch (GeneralSecurityException e) {
            throw new TeeException(
                    Code.TEE_STATE,
                    stateFile + " does not verify: remove " + stateFile.getParent()
                            + ", then holdfast provision --again",
                    e);
        } catch (IOException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "the state file cannot be read", e);
        }
    }

    void store(SoftwareState state) throws TeeException {
        try {
            disk.replace(stateFile, aead.encrypt(state.encode(), STATE_LABEL), Disk.Access.PRIVATE);
        } catch (IOException | GeneralSecurityException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "the state file cannot be written", e);
        }
    }

    /** The state goes first: a keyset alone is opened as a device without a state, and removed again; a state alone would not open. */
    void remove() throws TeeException {
        try {
            disk.delete(stateFile);
            disk.delete(stateFile.resolveSibling(KEYSET));
        } catch (IOException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "the software bridge's files cannot be removed", e);
        }
    }

    @Override
    public void close() {
        try {
            lockChannel.close();
        } catch (IOException e) {
            // The kernel gives the lock back when the process ends.
        }
    }

    private static FileChannel locked(FileChannel channel, Path dir) throws TeeException, IOException {
        try {
            FileLock lock = channel.tryLock();
            if (lock == null) {
                throw new TeeException(Code.TEE_UNAVAILABLE, "another process holds " + dir);
            }
            return channel;
        } catch (OverlappingFileLockException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "this process has " + dir + " open already", e);
        }
    }

    private static Aead aead(Path dir, Disk disk) throws IOException, GeneralSecurityException {
        Path file = dir.resolve(KEYSET);
        AeadConfig.register();
        Configuration configuration = RegistryConfiguration.get();
        KeysetHandle keyset;
        if (Files.exists(file)) {
            keyset = TinkJsonProtoKeysetFormat.parseKeyset(
                    Files.readString(file), configuration, InsecureSecretKeyAccess.get());
        } else {
            keyset = KeysetHandle.generateNew(PredefinedAeadParameters.AES256_GCM, configuration);
            String json =
                    TinkJsonProtoKeysetFormat.serializeKeyset(keyset, configuration, InsecureSecretKeyAccess.get());
            disk.replace(file, json.getBytes(StandardCharsets.UTF_8), Disk.Access.PRIVATE);
        }
        return keyset.getPrimitive(configuration, Aead.class);
    }
}
