package dev.holdfast.tee.software;

import dev.holdfast.storage.Disk;
import dev.holdfast.tee.AnchorStore;
import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.tee.MonotonicCounter;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.Sealer;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeDescription;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.tpm.SealPolicy;
import dev.holdfast.tee.tpm.TpmAttest;
import dev.holdfast.tee.tpm.TpmPublic;
import dev.holdfast.tee.tpm.TpmSignature;
import dev.holdfast.tee.tpm.TpmWriter;
import dev.holdfast.tee.tpm.Unlock;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.interfaces.ECPublicKey;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The stand-in for devices without a TEE: keys, counter, register and anchor are files. Whoever reads the directory has
 * the keys, and whoever restores an old copy rolls the counter back; so everything it says is {@link
 * Assurance#SOFTWARE}. Quotes have the form of a TPM's, so that one verifier reads both. One process at a time may have
 * a directory open. Thread-safe.
 */
public final class SoftwareBridge implements TeeBridge {
    /** The index that the simulated register takes, the same as the default PCR of a TPM. */
    public static final int REGISTER_INDEX = 14;

    private static final Logger LOG = LoggerFactory.getLogger(SoftwareBridge.class);
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");
    private static final byte[] SEAL_LABEL = "holdfast-software-seal-1".getBytes(StandardCharsets.US_ASCII);

    private final Path dir;
    private final SoftwareVault vault;
    private SoftwareState state;
    /** Whether a write failed, so that the disk may hold what nobody was told. */
    private boolean unsettled;

    private boolean closed;

    private SoftwareBridge(Path dir, SoftwareVault vault, SoftwareState state) {
        this.dir = dir;
        this.vault = vault;
        this.state = state;
    }

    /** Opens the bridge in {@code dir} (made with mode 0700), creating its keys where there are none. */
    public static SoftwareBridge open(Path dir) throws TeeException {
        try {
            return open(dir, Files.readString(BOOT_ID).strip());
        } catch (IOException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "the kernel's boot id cannot be read", e);
        }
    }

    /**
     * The same where the caller knows what names the boot of the machine (a container's start, a test's reboot); another
     * {@code bootId} than last time sets the register to zero.
     */
    public static SoftwareBridge open(Path dir, String bootId) throws TeeException {
        return open(dir, bootId, Disk.LOCAL);
    }

    static SoftwareBridge open(Path dir, String bootId, Disk disk) throws TeeException {
        SoftwareVault vault = SoftwareVault.open(dir, disk);
        boolean opened = false;
        try {
            SoftwareBridge bridge = new SoftwareBridge(dir, vault, vault.load(bootId));
            opened = true;
            LOG.warn("INSECURE: no TEE. Keys, counter and register are files in {}; nothing is hardware-backed", dir);
            return bridge;
        } finally {
            if (!opened) {
                vault.close();
            }
        }
    }

    @Override
    public TeeDescription describe() {
        return new TeeDescription(TeeDescription.Kind.SOFTWARE, Assurance.SOFTWARE, "files in " + dir);
    }

    @Override
    public Optional<DeviceSigner> signer() {
        return Optional.of(new DeviceSigner() {
            @Override
            public ECPublicKey publicKey() throws TeeException {
                return (ECPublicKey) current().signer().getPublic();
            }

            @Override
            public byte[] sign(Sha256 digest) throws TeeException {
                return P256.sign(current().signer().getPrivate(), digest);
            }
        });
    }

    @Override
    public Optional<AnchorVerifier> anchorVerifier() {
        return Optional.of(P256::verify);
    }

    @Override
    public Optional<AnchorStore> anchorStore() {
        return Optional.of(() -> current().anchor());
    }

    @Override
    public Optional<Provisioner> provisioner() {
        return Optional.of(new Provisioner() {
            @Override
            public void anchor(Sha256 factoryRoot, AuthValue owner) throws TeeException {
                synchronized (SoftwareBridge.this) {
                    Optional<Sha256> known = current().anchor();
                    if (known.isPresent() && !known.get().equals(factoryRoot)) {
                        throw new TeeException(
                                Code.TEE_REFUSED,
                                "another factory root is anchored, " + known.get() + ": holdfast deprovision first");
                    }
                    if (known.isEmpty()) {
                        replace(current().withAnchor(factoryRoot));
                    }
                }
            }

            @Override
            public List<String> remove(AuthValue owner) throws TeeException {
                synchronized (SoftwareBridge.this) {
                    current();
                    vault.remove();
                    close();
                    return List.of("keys, counter and factory root in " + dir);
                }
            }
        });
    }

    @Override
    public Optional<Sealer> sealer() {
        return Optional.of(new Sealer() {
            @Override
            public byte[] seal(byte[] secret, SealPolicy policy) throws TeeException {
                if (secret.length == 0 || secret.length > MAX_SECRET_BYTES) {
                    throw new TeeException(
                            Code.TEE_REFUSED, secret.length + " bytes to seal; 1 to " + MAX_SECRET_BYTES + " can be");
                }
                current();
                try {
                    return vault.aead().encrypt(secret, sealContext(policy.digest()));
                } catch (GeneralSecurityException e) {
                    throw new TeeException(Code.TEE_REFUSED, "sealing failed", e);
                }
            }

            @Override
            public byte[] unseal(byte[] sealed, Unlock unlock) throws TeeException {
                Sha256 policy = satisfied(unlock);
                try {
                    return vault.aead().decrypt(sealed, sealContext(policy));
                } catch (GeneralSecurityException e) {
                    throw new TeeException(
                            Code.TEE_REFUSED, "not sealed by this device, or its policy does not hold", e);
                }
            }
        });
    }

    /** The digest that a TPM in this state would hold against the object's. */
    private Sha256 satisfied(Unlock unlock) throws TeeException {
        return switch (unlock) {
            case Unlock.ThisDevice() -> {
                current();
                yield new SealPolicy.ThisDevice().digest();
            }
            case Unlock.Registers(Set<Integer> pcrs) -> registersNow(pcrs).digest();
            case Unlock.Approved(SealPolicy.AuthorizedBy policy, Set<Integer> pcrs, Binary signature) -> {
                Sha256 signed = Unlock.approved(registersNow(pcrs), policy.purpose());
                if (!P256.verify(policy.anchor(), signed, signature.toArray())) {
                    throw new TeeException(Code.TEE_REFUSED, "the key did not approve this state of the registers");
                }
                yield policy.digest();
            }
        };
    }

    private SealPolicy.Registers registersNow(Set<Integer> pcrs) throws TeeException {
        if (!pcrs.equals(Set.of(REGISTER_INDEX))) {
            throw new TeeException(Code.TEE_REFUSED, "this bridge has register " + REGISTER_INDEX + " alone");
        }
        return new SealPolicy.Registers(
                new TreeMap<>(Map.of(REGISTER_INDEX, current().register())));
    }

    private static byte[] sealContext(Sha256 policy) {
        return new TpmWriter().bytes(SEAL_LABEL).bytes(policy.toArray()).toArray();
    }

    @Override
    public Optional<MonotonicCounter> stateCounter() {
        return Optional.of(new MonotonicCounter() {
            @Override
            public long read() throws TeeException {
                return current().generation();
            }

            @Override
            public void advanceTo(long value) throws TeeException {
                synchronized (SoftwareBridge.this) {
                    if (value > current().generation()) {
                        replace(current().withGeneration(value));
                    }
                }
            }
        });
    }

    @Override
    public Optional<MeasurementRegister> register() {
        return Optional.of(new MeasurementRegister() {
            @Override
            public int index() {
                return REGISTER_INDEX;
            }

            @Override
            public Sha256 read() throws TeeException {
                return current().register();
            }

            @Override
            public void extend(Sha256 digest) throws TeeException {
                synchronized (SoftwareBridge.this) {
                    SoftwareState before = current();
                    replace(before.withRegister(Sha256.of(before.register().toArray(), digest.toArray())));
                }
            }

            @Override
            public boolean resettable() {
                return true; // a file can always be put back
            }

            @Override
            public long resetCount() throws TeeException {
                return current().bootCount();
            }
        });
    }

    @Override
    public Optional<Quoter> quoter() {
        return Optional.of(new Quoter() {
            @Override
            public ECPublicKey attestationKey() throws TeeException {
                return (ECPublicKey) current().attestation().getPublic();
            }

            @Override
            public Quote quote(Binary qualifyingData, Set<Integer> platformRegisters) throws TeeException {
                SoftwareState now = current();
                Binary value = now.register().value();
                Binary attest = new TpmAttest(
                                TpmPublic.name(P256.encode(attestationKey())),
                                qualifyingData,
                                uptimeMillis(),
                                now.bootCount(),
                                0,
                                true,
                                0,
                                new TpmAttest.Quoted(
                                        List.of(TpmAttest.Selection.sha256(List.of(REGISTER_INDEX))),
                                        Sha256.of(value.toArray()).value()))
                        .encode();
                byte[] signature = P256.sign(now.attestation().getPrivate(), Sha256.of(attest.toArray()));
                return new Quote(
                        attest, TpmSignature.fromP1363(signature), new TreeMap<>(Map.of(REGISTER_INDEX, value)));
            }
        });
    }

    @Override
    public synchronized void close() {
        closed = true;
        vault.close();
    }

    private synchronized SoftwareState current() throws TeeException {
        if (closed) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "the bridge is closed");
        }
        if (unsettled) {
            // What is told now must be what the next process finds: a refused extend that comes to light later breaks
            // the event log.
            vault.store(state);
            unsettled = false;
        }
        return state;
    }

    private synchronized void replace(SoftwareState next) throws TeeException {
        unsettled = true;
        vault.store(next);
        state = next;
        unsettled = false;
    }

    /** Monotone within a boot: the JDK's clock on Linux is CLOCK_MONOTONIC. */
    private static long uptimeMillis() {
        return Math.max(0, System.nanoTime() / 1_000_000);
    }
}
