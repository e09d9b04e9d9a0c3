package dev.holdfast.tee.tpm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.BridgeContract;
import dev.holdfast.tee.Enroller;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.Sealer;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.software.SoftwareState;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.interfaces.ECPublicKey;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Secrets on a bus that somebody listens to and changes, and the policies that guard them, beside tpm2-tools. */
class TpmSecretsTest {
    private static final byte[] SECRET = "a secret that nobody overhears".getBytes(StandardCharsets.US_ASCII);
    private static final Sha256 ZERO = SoftwareState.ZERO;
    private static final Binary PURPOSE = Binary.copyOf("model key".getBytes(StandardCharsets.US_ASCII));

    @TempDir
    Path temp;

    private Swtpm swtpm;
    private Tpm2Bridge bridge;
    private final ByteArrayOutputStream bus = new ByteArrayOutputStream();
    private UnaryOperator<byte[]> interposer = UnaryOperator.identity();

    @BeforeEach
    void open() throws Exception {
        swtpm = Swtpm.start(temp);
        bridge = Tpm2Bridge.open(() -> TpmWire.tapped(swtpm.address(), this::listen), Tpm2Options.DEFAULT);
    }

    @AfterEach
    void close() {
        if (bridge != null) {
            bridge.close();
        }
        if (swtpm != null) {
            swtpm.close();
        }
    }

    /** Records what passes in both directions and lets the interposer change responses. */
    private byte[] listen(byte[] command, byte[] response) {
        bus.writeBytes(command);
        bus.writeBytes(response);
        return interposer.apply(response);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ecc", "rsa"})
    void noSecretIsInTheBytesOfTheBus(String endorsement) throws Exception {
        if (endorsement.equals("rsa")) {
            bridge.close();
            new TpmTools(temp, swtpm).storeCertificate("0x1c00002", new byte[600]);
            bridge = Tpm2Bridge.open(() -> TpmWire.tapped(swtpm.address(), this::listen), Tpm2Options.DEFAULT);
        }
        assertThat(TpmKeyArea.parse(bridge.enroller().orElseThrow().endorsementPublic())
                        .orThrow())
                .isInstanceOf(endorsement.equals("rsa") ? TpmRsaPublic.class : TpmPublic.class);
        Sealer sealer = bridge.sealer().orElseThrow();
        byte[] sealed = sealer.seal(SECRET);
        assertThat(sealer.unseal(sealed)).isEqualTo(SECRET);
        KeyPair anchor = P256.generate();
        var policy = new SealPolicy.AuthorizedBy((ECPublicKey) anchor.getPublic(), PURPOSE);
        byte[] authorized = sealer.seal(SECRET, policy);
        assertThat(sealer.unseal(authorized, approval(anchor, policy))).isEqualTo(SECRET);
        assertThat(activate(SECRET)).isEqualTo(SECRET);

        assertThat(isOnBus(SECRET)).isFalse();
        // The tap hears: what is no secret is found.
        bridge.register().orElseThrow().extend(BridgeContract.DIGEST);
        assertThat(isOnBus(BridgeContract.DIGEST.toArray())).isTrue();
        assertThat(isOnBus(policy.digest().toArray())).isTrue();
    }

    /** The counter's value, too, comes in a session: who is on the bus cannot make it say what an old record says. */
    @Test
    void neitherCounterNorOwnersPasswordIsOnTheBusAndTheCountIsAuthentic() throws Exception {
        AuthValue value = AuthValue.of("what moves the counter");
        AuthValue owner = AuthValue.of("the owner's own password");
        bridge.close();
        new TpmTools(temp, swtpm).run("tpm2_changeauth", "-c", "o", "the owner's own password");
        bridge = Tpm2Bridge.open(
                () -> TpmWire.tapped(swtpm.address(), this::listen), Tpm2Options.DEFAULT.authorized(value));
        Provisioner provisioner = bridge.provisioner().orElseThrow();
        provisioner.prepareKeys(owner);
        provisioner.prepareCounter(owner);
        provisioner.anchor(BridgeContract.DIGEST, owner);
        long first = bridge.stateCounter().orElseThrow().read();
        bridge.stateCounter().orElseThrow().advanceTo(first + 2);
        bridge.signer().orElseThrow().sign(BridgeContract.DIGEST);
        assertThat(isOnBus(value.bytes())).isFalse();
        assertThat(isOnBus(owner.bytes())).isFalse();
        assertThat(isOnBus(BridgeContract.DIGEST.toArray())).isTrue();
        byte[] counted = new TpmWriter().u16(Long.BYTES).u64(first + 2).toArray();
        interposer = response -> {
            int at = 14; // Header and size of the parameters.
            if (response.length > at + counted.length
                    && Arrays.equals(response, at, at + counted.length, counted, 0, counted.length)) {
                response[at + counted.length - 1] -= 2;
            }
            return response;
        };
        assertThatThrownBy(() -> bridge.stateCounter().orElseThrow().read())
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_RESPONSE));
    }

    /** The policy alone opens it: no sealed object takes an authorization value, which would be an empty one. */
    @Test
    void whatIsSealedOpensByNoPasswordWhateverItsPolicy() throws Exception {
        long userWithAuth = 1 << 6;
        long fixed = 1 << 1 | 1 << 4;
        Sealer sealer = bridge.sealer().orElseThrow();
        for (byte[] sealed :
                new byte[][] {sealer.seal(SECRET), sealer.seal(SECRET, new SealPolicy.Registers(zeros(16)))}) {
            TpmReader object = new TpmReader(sealed);
            object.sized(1024);
            TpmReader area = new TpmReader(object.sized(1024).toArray());
            area.u16();
            area.u16();
            long attributes = area.u32();
            assertThat(attributes & userWithAuth).isZero();
            assertThat(attributes & fixed).isEqualTo(fixed);
            assertThat(area.sized(64).length()).as("there is a policy").isEqualTo(Sha256.BYTES);
        }
    }

    private static SortedMap<Integer, Sha256> zeros(int pcr) {
        return new TreeMap<>(Map.of(pcr, ZERO));
    }

    @Test
    void aChangedResponseIsNoticed() throws Exception {
        Sealer sealer = bridge.sealer().orElseThrow();
        byte[] sealed = sealer.seal(SECRET);
        for (int place : new int[] {16, 20, 60, 100}) {
            interposer = response -> {
                // Only the answer to TPM2_Unseal carries so many encrypted bytes behind a 16-bit size.
                if (isUnsealed(response)) {
                    response[Math.min(place, response.length - 1)] ^= 1;
                }
                return response;
            };
            assertThatThrownBy(() -> sealer.unseal(sealed))
                    .isInstanceOfSatisfying(
                            TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_RESPONSE));
        }
        interposer = UnaryOperator.identity();
        assertThat(sealer.unseal(sealed)).isEqualTo(SECRET);
    }

    /** Who is on the bus from the first command on answers with a key of their own, and gets the salt. */
    @Test
    void aKeyInThePlaceOfTheEndorsementKeyIsRefusedWhereItIsPinned() throws Exception {
        byte[] sealed = bridge.sealer().orElseThrow().seal(SECRET);
        TpmPublic real = BridgeContract.accepted(
                TpmPublic.parse(bridge.enroller().orElseThrow().endorsementPublic()));
        bridge.close();
        KeyPair theirs = P256.generate();
        ReplayedTpm.Operation unseal =
                b -> Binary.copyOf(b.sealer().orElseThrow().unseal(sealed));
        ReplayedTpm.Recording interposed = ReplayedTpm.withEndorsement(
                ReplayedTpm.record(swtpm.address(), Tpm2Options.DEFAULT.pinned(real.name()), unseal),
                real.key(),
                (ECPublicKey) theirs.getPublic());
        assertThat(interposed.result()).isEqualTo(Binary.copyOf(SECRET));
        ReplayedTpm.Lie none = new ReplayedTpm.Lie(-1, ReplayedTpm.Place.ON_THE_BUS, UnaryOperator.identity());
        try (Tpm2Bridge trusting =
                Tpm2Bridge.open(() -> TpmWire.to(new ReplayedTpm(interposed, theirs, none)), Tpm2Options.DEFAULT)) {
            assertThat(unseal.run(trusting)).isEqualTo(Binary.copyOf(SECRET));
        }
        try (Tpm2Bridge pinned = Tpm2Bridge.open(
                () -> TpmWire.to(new ReplayedTpm(interposed, theirs, none)), Tpm2Options.DEFAULT.pinned(real.name()))) {
            assertThatThrownBy(() -> unseal.run(pinned))
                    .isInstanceOfSatisfying(
                            TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_STATE));
        }
    }

    private static boolean isUnsealed(byte[] response) {
        return response.length > 16 && ByteBuffer.wrap(response).getInt(10) == SECRET.length + 2;
    }

    @Test
    void opensOnlyWhileTheRegistersHold() throws Exception {
        Sealer sealer = bridge.sealer().orElseThrow();
        byte[] sealed = sealer.seal(SECRET, registersNow());
        byte[] device = sealer.seal(SECRET);
        Unlock now = new Unlock.Registers(Set.of(14));
        assertThat(sealer.unseal(sealed, now)).isEqualTo(SECRET);
        assertRefused(() -> sealer.unseal(sealed));
        assertRefused(() -> sealer.unseal(device, now));
        bridge.register().orElseThrow().extend(BridgeContract.DIGEST);
        assertRefused(() -> sealer.unseal(sealed, now));
    }

    @Test
    void opensInEachStateThatTheAnchorApprovedAndInNoOther() throws Exception {
        Sealer sealer = bridge.sealer().orElseThrow();
        KeyPair anchor = P256.generate();
        var policy = new SealPolicy.AuthorizedBy((ECPublicKey) anchor.getPublic(), PURPOSE);
        byte[] sealed = sealer.seal(SECRET, policy);
        Unlock.Approved before = approval(anchor, policy);
        assertThat(sealer.unseal(sealed, before)).isEqualTo(SECRET);
        bridge.register().orElseThrow().extend(BridgeContract.DIGEST);
        assertRefused(() -> sealer.unseal(sealed, before));
        assertThat(sealer.unseal(sealed, approval(anchor, policy))).isEqualTo(SECRET);

        KeyPair other = P256.generate();
        assertRefused(() -> sealer.unseal(sealed, approval(other, policy)));
        var theirs = new SealPolicy.AuthorizedBy((ECPublicKey) other.getPublic(), PURPOSE);
        assertRefused(() -> sealer.unseal(sealed, approval(other, theirs)));
        var elsewhere = new SealPolicy.AuthorizedBy((ECPublicKey) anchor.getPublic(), Binary.empty());
        assertRefused(() -> sealer.unseal(sealed, approval(anchor, elsewhere)));
    }

    @Test
    void policyDigestsEqualThoseOfTpm2Tools() throws Exception {
        SealPolicy.Registers registers = registersNow();
        KeyPair anchor = P256.generate();
        var authorized = new SealPolicy.AuthorizedBy((ECPublicKey) anchor.getPublic(), PURPOSE);
        Path name = temp.resolve("anchor.name");
        Files.write(
                name, TpmPublic.name(TpmPublic.verifier(authorized.anchor())).toArray());
        Path pcrs = temp.resolve("pcrs");
        Files.write(
                pcrs, new TreeMap<>(registers.values()).firstEntry().getValue().toArray());
        bridge.close();

        assertThat(toolDigest("tpm2_policycommandcode", "TPM2_CC_Unseal"))
                .isEqualTo(new SealPolicy.ThisDevice().digest());
        assertThat(toolDigest("tpm2_policypcr", "-l", "sha256:14", "-f", pcrs.toString()))
                .isEqualTo(registers.digest());
        var many = new SealPolicy.Registers(new TreeMap<>(Map.of(0, ZERO, 7, ZERO, 14, ZERO, 23, ZERO)));
        Files.write(pcrs, new byte[many.values().size() * Sha256.BYTES]);
        assertThat(toolDigest("tpm2_policypcr", "-l", "sha256:0,7,14,23", "-f", pcrs.toString()))
                .isEqualTo(many.digest());
        assertThat(toolDigest("tpm2_policysecret", "-c", "e")).isEqualTo(new Sha256(TpmKeys.EK_POLICY));
        assertThat(toolDigest("tpm2_policyauthorize", "-n", name.toString()))
                .isEqualTo(new SealPolicy.AuthorizedBy(authorized.anchor(), Binary.empty()).digest());
        assertThat(toolDigest("tpm2_policyauthorize", "-n", name.toString(), "-q", PURPOSE.hex()))
                .isEqualTo(authorized.digest());
    }

    /** Runs one policy tool in a trial session. */
    private Sha256 toolDigest(String tool, String... arguments) throws Exception {
        Path digest = temp.resolve("digest");
        Files.deleteIfExists(digest);
        String script = """
                set -e
                tpm2_startauthsession -S %1$s
                %2$s -S %1$s -L %3$s %4$s
                """.formatted(temp.resolve("session"), tool, digest, String.join(" ", arguments));
        assertThat(new TpmTools(temp, swtpm).script(script)).as(script).isZero();
        return new Sha256(Binary.copyOf(Files.readAllBytes(digest)));
    }

    /** A credential that tpm2-tools made for this TPM's keys, without a TPM, and that ours opens. */
    private byte[] activate(byte[] secret) throws Exception {
        Enroller enroller = bridge.enroller().orElseThrow();
        Binary name = BridgeContract.accepted(TpmPublic.parse(enroller.attestationPublic()))
                .name();
        TpmTools.Credential made =
                new TpmTools(temp, swtpm).makeCredential(enroller.endorsementPublic(), name, Binary.copyOf(secret));
        return enroller.activate(made.blob(), made.encryptedSecret()).toArray();
    }

    private SealPolicy.Registers registersNow() throws TeeException {
        return new SealPolicy.Registers(
                new TreeMap<>(Map.of(14, bridge.register().orElseThrow().read())));
    }

    private Unlock.Approved approval(KeyPair by, SealPolicy.AuthorizedBy policy) throws TeeException {
        Sha256 signed = Unlock.approved(registersNow(), policy.purpose());
        return new Unlock.Approved(policy, Set.of(14), Binary.copyOf(P256.sign(by.getPrivate(), signed)));
    }

    private static void assertRefused(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_REFUSED));
    }

    private boolean isOnBus(byte[] needle) {
        return new String(bus.toByteArray(), StandardCharsets.ISO_8859_1)
                .contains(new String(needle, StandardCharsets.ISO_8859_1));
    }
}
