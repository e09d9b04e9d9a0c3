package dev.holdfast.tee.tpm;

import dev.holdfast.tee.AnchorStore;
import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.Enroller;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.tee.MonotonicCounter;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.Sealer;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeDescription;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeInventory;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.security.interfaces.ECPublicKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A TPM 2.0 (TCG TPM 2.0 Library, revision 1.59), spoken to by our own marshaller. Each method of the SPI is one
 * operation on the thread {@code tee}; what it loads it also takes out. Thread-safe.
 */
public final class Tpm2Bridge implements TeeBridge {
    private static final long TRANSIENT_FIRST = 0x80000000L;
    private static final long LOADED_SESSION_FIRST = 0x02000000L;

    private final TpmConnection connection;
    private final TpmEngine engine;
    private final TpmOperations operations;
    private final Tpm2Options options;
    private final TeeDescription description;

    private Tpm2Bridge(TpmConnection.Connector connector, boolean ownsTpm, String address, Tpm2Options options)
            throws TeeException {
        this.options = options;
        this.connection = new TpmConnection(
                connector, options.commandDeadline(), fresh -> () -> start(new TpmEngine(fresh), ownsTpm));
        this.engine = new TpmEngine(connection);
        this.operations = new TpmOperations(engine, options);
        try {
            this.description = connection.call(() -> describe(engine, address));
        } catch (TeeException e) {
            connection.close();
            throw e;
        }
    }

    /** Connects with {@link Tpm2Options#DEFAULT}. */
    public static Tpm2Bridge open(TpmAddress address) throws TeeException {
        return open(address, Tpm2Options.DEFAULT);
    }

    /** Connects, and starts the TPM up where nobody has yet. Keys are derived when they are first used. */
    public static Tpm2Bridge open(TpmAddress address, Tpm2Options options) throws TeeException {
        // Behind a socket there is no resource manager, and no other user: what is loaded was left by us.
        return new Tpm2Bridge(address::open, !(address instanceof TpmAddress.Device), address.toString(), options);
    }

    static Tpm2Bridge open(TpmConnection.Connector connector, Tpm2Options options) throws TeeException {
        return new Tpm2Bridge(connector, true, "test", options);
    }

    @Override
    public TeeDescription describe() {
        return description;
    }

    @Override
    public Optional<DeviceSigner> signer() {
        return Optional.of(new DeviceSigner() {
            @Override
            public ECPublicKey publicKey() throws TeeException {
                return connection.call(() -> operations.keys().point(TpmKeys.Role.SIGNER));
            }

            @Override
            public byte[] sign(Sha256 digest) throws TeeException {
                return connection.call(() -> operations.sign(digest));
            }
        });
    }

    @Override
    public Optional<AnchorVerifier> anchorVerifier() {
        return Optional.of((key, digest, signature) -> {
            if (signature.length != P256.SIGNATURE_BYTES) {
                return false;
            }
            return connection.call(() -> operations.verify(key, digest, signature));
        });
    }

    @Override
    public Optional<AnchorStore> anchorStore() {
        return Optional.of(() -> connection.call(operations.nv()::anchor));
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
                return connection.call(() -> operations.secrets().seal(secret, policy));
            }

            @Override
            public byte[] unseal(byte[] sealed, Unlock unlock) throws TeeException {
                return connection.call(() -> operations.secrets().unseal(sealed, unlock));
            }
        });
    }

    @Override
    public Optional<MonotonicCounter> stateCounter() {
        return Optional.of(new MonotonicCounter() {
            @Override
            public long read() throws TeeException {
                return connection.call(() -> operations.counter().read());
            }

            @Override
            public void advanceTo(long value) throws TeeException {
                connection.call(() -> {
                    operations.counter().advance(value);
                    return true;
                });
            }

            @Override
            public String identity() throws TeeException {
                return connection.call(() -> operations.counter().identity());
            }
        });
    }

    @Override
    public Optional<MeasurementRegister> register() {
        return Optional.of(new MeasurementRegister() {
            @Override
            public int index() {
                return options.register().index();
            }

            @Override
            public Sha256 read() throws TeeException {
                return connection.call(operations::readRegister);
            }

            @Override
            public void extend(Sha256 digest) throws TeeException {
                connection.call(() -> {
                    operations.extendRegister(digest);
                    return true;
                });
            }

            @Override
            public boolean resettable() {
                return options.register() instanceof TpmRegister.Pcr pcr && pcr.resettable();
            }

            @Override
            public long resetCount() throws TeeException {
                return connection.call(operations::resetCount);
            }
        });
    }

    @Override
    public Optional<Quoter> quoter() {
        return Optional.of(new Quoter() {
            @Override
            public ECPublicKey attestationKey() throws TeeException {
                return connection.call(() -> operations.keys().point(TpmKeys.Role.ATTESTATION));
            }

            @Override
            public Quote quote(Binary qualifyingData, Set<Integer> platformRegisters) throws TeeException {
                return connection.call(() -> operations.quote(qualifyingData, platformRegisters));
            }
        });
    }

    @Override
    public Optional<Enroller> enroller() {
        return Optional.of(new Enroller() {
            @Override
            public Binary endorsementPublic() throws TeeException {
                return connection.call(() -> operations
                        .keys()
                        .publicArea(operations.keys().endorsement())
                        .encoded());
            }

            @Override
            public Binary endorsementCertificate() throws TeeException {
                return connection.call(operations::endorsementCertificate);
            }

            @Override
            public Binary attestationPublic() throws TeeException {
                return connection.call(() ->
                        operations.keys().publicArea(TpmKeys.Role.ATTESTATION).encoded());
            }

            @Override
            public Binary signerPublic() throws TeeException {
                return connection.call(
                        () -> operations.keys().publicArea(TpmKeys.Role.SIGNER).encoded());
            }

            @Override
            public Quoter.Quote certifySigner(Binary qualifyingData) throws TeeException {
                return connection.call(() -> operations.certifySigner(qualifyingData));
            }

            @Override
            public Binary activate(Binary credentialBlob, Binary encryptedSecret) throws TeeException {
                return connection.call(() -> operations.secrets().activate(credentialBlob, encryptedSecret));
            }
        });
    }

    @Override
    public Optional<Provisioner> provisioner() {
        return Optional.of(new Provisioner() {
            @Override
            public boolean ownerHasPassword() throws TeeException {
                return connection.call(() -> TpmProvisioner.ownerHasPassword(engine));
            }

            @Override
            public List<String> prepareKeys(AuthValue owner) throws TeeException {
                return connection.call(() -> operations.provisioner().prepareKeys(owner));
            }

            @Override
            public List<String> prepareCounter(AuthValue owner) throws TeeException {
                return connection.call(() -> operations.provisioner().prepareCounter(owner));
            }

            @Override
            public Optional<Sha256> measuredBefore() throws TeeException {
                return connection.call(operations::measuredBefore);
            }

            @Override
            public Optional<TpmRegister> unusedRegister() throws TeeException {
                return connection.call(operations::unusedRegister);
            }

            @Override
            public void anchor(Sha256 factoryRoot, AuthValue owner) throws TeeException {
                connection.call(() -> {
                    operations.provisioner().anchor(factoryRoot, owner);
                    return true;
                });
            }

            @Override
            public List<String> remove(AuthValue owner) throws TeeException {
                return connection.call(() -> operations.provisioner().remove(owner));
            }
        });
    }

    @Override
    public TeeInventory inventory() throws TeeException {
        TeeInventory indexes = connection.call(() -> new TpmInventory(engine, operations).look());
        List<TeeInventory.Finding> findings = new ArrayList<>(indexes.findings());
        try {
            TeeInventory.keys(this).ifPresent(findings::add);
        } catch (TeeException e) {
            if (e.code() != Code.TEE_STATE) {
                throw e;
            }
            // The owner has a password since provisioning; that finding is there already.
        }
        TeeInventory.register(this).ifPresent(findings::add);
        return new TeeInventory(indexes.factoryRoot(), findings);
    }

    @Override
    public void close() {
        connection.close();
    }

    /** TPM2_Startup, which a TPM that runs already answers with TPM_RC_INITIALIZE, and a clean table of slots. */
    private static boolean start(TpmEngine engine, boolean ownsTpm) throws TeeException, RejectedException {
        TpmCommand startup = new TpmCommand(Tpm.CC_STARTUP).with(w -> w.u16(0)); // TPM_SU_CLEAR
        long rc = engine.send(startup, false).rc();
        if (rc != Tpm.RC_SUCCESS && rc != Tpm.RC_INITIALIZE) {
            throw TpmEngine.refusal(startup, rc);
        }
        if (ownsTpm) {
            for (long first : new long[] {TRANSIENT_FIRST, LOADED_SESSION_FIRST}) {
                for (long handle : engine.handles(first)) {
                    engine.flush(handle);
                }
            }
        }
        return true;
    }

    private static TeeDescription describe(TpmEngine engine, String address) throws TeeException, RejectedException {
        StringBuilder maker = new StringBuilder();
        for (long tag = 0x105; tag <= 0x109; tag++) { // TPM_PT_MANUFACTURER, TPM_PT_VENDOR_STRING_1 to 4
            byte[] four = new TpmWriter().u32(engine.property(tag)).toArray();
            String text = new String(four, StandardCharsets.ISO_8859_1).replace("\0", "");
            maker.append(text).append(tag == 0x105 ? ": " : "");
        }
        String name = maker.toString().strip();
        // Anyone can write these strings; they only ever lower what is claimed. Enrolment decides what is granted.
        boolean emulated = name.startsWith("IBM") && name.contains("SW") || name.contains("swtpm");
        String firmware = Long.toHexString(engine.property(0x10b));
        return new TeeDescription(
                TeeDescription.Kind.TPM2,
                emulated ? Assurance.EMULATED : Assurance.FIRMWARE,
                name + ", firmware " + firmware + ", at " + address);
    }
}
