package dev.holdfast.tee;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.tpm.TpmAttest;
import dev.holdfast.tee.tpm.TpmSignature;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.interfaces.ECPublicKey;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What every bridge promises, whatever is behind it. */
public abstract class BridgeContract {
    public static final Sha256 DIGEST = Sha256.of("a model".getBytes(StandardCharsets.UTF_8));
    public static final Binary QUALIFYING =
            Sha256.of("a nonce".getBytes(StandardCharsets.UTF_8)).value();

    public abstract TeeBridge bridge() throws Exception;

    /** Closes the bridge and opens it again, as a restart of the agent does. */
    public abstract TeeBridge reopen() throws Exception;

    public static <T> T accepted(Verdict<T> verdict) {
        return switch (verdict) {
            case Verdict.Accepted<T>(T value) -> value;
            case Verdict.Rejected<T>(var reason) -> throw new AssertionError(reason.toString());
        };
    }

    @Test
    void signsWithTheSameKeyAfterARestart() throws Exception {
        ECPublicKey key = bridge().signer().orElseThrow().publicKey();
        byte[] signature = bridge().signer().orElseThrow().sign(DIGEST);
        assertThat(P256.verify(key, DIGEST, signature)).isTrue();
        assertThat(P256.verify(key, Sha256.of(new byte[1]), signature)).isFalse();
        assertThat(P256.encode(reopen().signer().orElseThrow().publicKey())).isEqualTo(P256.encode(key));
    }

    @Test
    void verifiesAnAnchorsSignatureAndRefusesEveryOther() throws Exception {
        AnchorVerifier verifier = bridge().anchorVerifier().orElseThrow();
        KeyPair anchor = P256.generate();
        ECPublicKey key = (ECPublicKey) anchor.getPublic();
        byte[] signature = P256.sign(anchor.getPrivate(), DIGEST);
        assertThat(verifier.verify(key, DIGEST, signature)).isTrue();
        assertThat(verifier.verify(key, Sha256.of(new byte[0]), signature)).isFalse();
        assertThat(verifier.verify((ECPublicKey) P256.generate().getPublic(), DIGEST, signature))
                .isFalse();
        assertThat(verifier.verify(key, DIGEST, new byte[64])).isFalse();
        assertThat(verifier.verify(key, DIGEST, new byte[3])).isFalse();
    }

    /** What {@code holdfast provision} does to a bridge of an owner without a password. */
    public static void provision(TeeBridge bridge, Sha256 factoryRoot) throws TeeException {
        Provisioner provisioner = bridge.provisioner().orElseThrow();
        provisioner.prepareKeys(AuthValue.EMPTY);
        provisioner.prepareCounter(AuthValue.EMPTY);
        provisioner.anchor(factoryRoot, AuthValue.EMPTY);
    }

    @Test
    void keepsTheFactoryRootUntilAllIsRemoved() throws Exception {
        assertThat(bridge().anchorStore().orElseThrow().read()).isEmpty();
        provision(bridge(), DIGEST);
        provision(bridge(), DIGEST);
        assertThatThrownBy(() -> provision(bridge(), Sha256.of(new byte[0])))
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_REFUSED));
        assertThat(reopen().anchorStore().orElseThrow().read()).contains(DIGEST);
        assertThat(bridge().provisioner().orElseThrow().remove(AuthValue.EMPTY)).isNotEmpty();
        assertThat(reopen().anchorStore().orElseThrow().read()).isEmpty();
        provision(bridge(), Sha256.of(new byte[0]));
    }

    @Test
    void countsUpAndNeverBack() throws Exception {
        provision(bridge(), DIGEST);
        MonotonicCounter counter = bridge().stateCounter().orElseThrow();
        long first = counter.read();
        counter.advanceTo(first + 3);
        counter.advanceTo(first + 2);
        assertThat(counter.read()).isEqualTo(first + 3);
        assertThat(reopen().stateCounter().orElseThrow().read()).isEqualTo(first + 3);
    }

    @Test
    void opensOnlyWhatItSealed() throws Exception {
        Sealer sealer = bridge().sealer().orElseThrow();
        byte[] secret = "a model key".getBytes(StandardCharsets.UTF_8);
        byte[] sealed = sealer.seal(secret);
        assertThat(new String(sealed, StandardCharsets.ISO_8859_1)).doesNotContain("a model key");
        Sealer after = reopen().sealer().orElseThrow();
        assertThat(after.unseal(sealed)).isEqualTo(secret);
        sealed[sealed.length / 2] ^= 1;
        assertThatThrownBy(() -> after.unseal(sealed)).isInstanceOf(TeeException.class);
        assertThatThrownBy(() -> after.seal(new byte[Sealer.MAX_SECRET_BYTES + 1]))
                .isInstanceOf(TeeException.class);
    }

    @Test
    void extendsTheRegisterAsATpmDoes() throws Exception {
        MeasurementRegister register = bridge().register().orElseThrow();
        Sha256 before = register.read();
        register.extend(DIGEST);
        assertThat(register.read()).isEqualTo(Sha256.of(before.toArray(), DIGEST.toArray()));
        assertThat(reopen().register().orElseThrow().read()).isEqualTo(Sha256.of(before.toArray(), DIGEST.toArray()));
    }

    @Test
    void quotesTheRegisterAndTheChallenge() throws Exception {
        bridge().register().orElseThrow().extend(DIGEST);
        Quoter quoter = bridge().quoter().orElseThrow();
        Quoter.Quote quote = quoter.quote(QUALIFYING);
        TpmAttest attest = accepted(TpmAttest.parse(quote.attest()));
        assertThat(attest.extraData()).isEqualTo(QUALIFYING);
        assertThat(attest.resetCount())
                .isEqualTo(bridge().register().orElseThrow().resetCount());
        assertThat(attest.encode()).isEqualTo(quote.attest());
        assertThat(attest.body()).isInstanceOfSatisfying(TpmAttest.Quoted.class, quoted -> {
            assertThat(quoted.covers(quote.registers())).isTrue();
            assertThat(quoted.covers(new TreeMap<>(Map.of(15, quote.registers().get(14)))))
                    .isFalse();
        });
        byte[] signature = accepted(TpmSignature.toP1363(quote.signature())).toArray();
        Sha256 signed = Sha256.of(quote.attest().toArray());
        assertThat(P256.verify(quoter.attestationKey(), signed, signature)).isTrue();
        assertThat(quote.registers().get(14))
                .isEqualTo(bridge().register().orElseThrow().read().value());
    }

    @Test
    void refusesAfterClose() throws Exception {
        TeeBridge bridge = bridge();
        bridge.close();
        assertThatThrownBy(() -> bridge.signer().orElseThrow().sign(DIGEST))
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_UNAVAILABLE));
    }
}
