package dev.holdfast.tee.tpm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.BridgeContract;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.software.SoftwareState;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An NV extend index as the measurement register, beside tpm2-tools. */
class TpmNvRegisterTest {
    private static final TpmRegister.Nv REGISTER = new TpmRegister.Nv(15);
    private static final Sha256 EVENT = BridgeContract.DIGEST;

    @TempDir
    Path temp;

    private Swtpm swtpm;
    private Tpm2Bridge bridge;

    @BeforeEach
    void open() throws Exception {
        swtpm = Swtpm.start(temp);
        bridge = connect();
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

    private Tpm2Bridge connect() throws TeeException {
        return Tpm2Bridge.open(swtpm.address(), Tpm2Options.DEFAULT.with(REGISTER));
    }

    private MeasurementRegister register() {
        return bridge.register().orElseThrow();
    }

    /** Runs tools while the bridge is away. */
    private void tools(String script) throws Exception {
        bridge.close();
        Path log = temp.resolve("tools.log");
        assertThat(new TpmTools(temp, swtpm).script("set -e; cd " + temp + "\n" + script))
                .as(Files.readString(log))
                .isZero();
        bridge = connect();
    }

    private Binary file(String name) throws Exception {
        return Binary.copyOf(Files.readAllBytes(temp.resolve(name)));
    }

    @Test
    void extendsFromZeroAndBeginsAnewAfterAReset() throws Exception {
        assertThat(register().read()).isEqualTo(SoftwareState.ZERO);
        assertThat(register().index()).isEqualTo(0x018f4806);
        assertThat(register().resettable()).isFalse();
        register().extend(EVENT);
        Sha256 once = Sha256.of(SoftwareState.ZERO.toArray(), EVENT.toArray());
        assertThat(register().read()).isEqualTo(once);
        bridge.close();
        bridge = connect();
        register().extend(EVENT);
        assertThat(register().read()).isEqualTo(Sha256.of(once.toArray(), EVENT.toArray()));
        swtpm.powerCut();
        assertThat(register().read()).isEqualTo(SoftwareState.ZERO);
        register().extend(EVENT);
        assertThat(register().read()).isEqualTo(once);
    }

    @Test
    void policyAndNameEqualThoseOfTpm2Tools() throws Exception {
        register().extend(EVENT);
        Files.write(temp.resolve("zero"), new byte[Sha256.BYTES]);
        tools("""
                tpm2_startauthsession -S s
                tpm2_policynvwritten -S s c
                tpm2_policypcr -S s -l sha256:15 -f zero -L first
                tpm2_flushcontext s
                tpm2_startauthsession -S s
                tpm2_policynvwritten -S s -L later s
                tpm2_flushcontext s
                tpm2_startauthsession -S s
                tpm2_policyor -S s -L either sha256:first,later
                tpm2_nvreadpublic 0x18f4806 > public
                """);
        assertThat(file("first")).isEqualTo(REGISTER.firstPolicy().value());
        assertThat(file("later")).isEqualTo(REGISTER.laterPolicy().value());
        assertThat(file("either")).isEqualTo(REGISTER.policy().value());
        assertThat(Files.readString(temp.resolve("public")))
                .contains(REGISTER.name().hex());
    }

    @Test
    void certifiesItsValueAndItsName() throws Exception {
        assertThatThrownBy(() -> bridge.quoter().orElseThrow().quote(BridgeContract.QUALIFYING))
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_REFUSED));
        register().extend(EVENT);
        Quoter.Quote quote = bridge.quoter().orElseThrow().quote(BridgeContract.QUALIFYING);
        assertThat(quote.registers().get(15)).isEqualTo(REGISTER.capped().value());
        Quoter.Certificate made = quote.nv().orElseThrow();
        TpmAttest attest = BridgeContract.accepted(TpmAttest.parse(made.attest()));
        assertThat(attest.encode()).isEqualTo(made.attest());
        assertThat(attest.extraData()).isEqualTo(BridgeContract.QUALIFYING);
        assertThat(attest.body())
                .isEqualTo(new TpmAttest.NvCertified(
                        REGISTER.name(), 0, register().read().value()));
        assertThat(P256.verify(
                        bridge.quoter().orElseThrow().attestationKey(),
                        Sha256.of(made.attest().toArray()),
                        BridgeContract.accepted(TpmSignature.toP1363(made.signature()))
                                .toArray()))
                .isTrue();
    }

    @Test
    void takesNothingWithoutItsPolicyAndNothingAfterItWasRemoved() throws Exception {
        register().extend(EVENT);
        Sha256 value = register().read();
        bridge.close();
        Files.write(temp.resolve("event"), EVENT.toArray());
        TpmTools tools = new TpmTools(temp, swtpm);
        assertThat(tools.status("tpm2_nvextend", "-i", temp.resolve("event").toString(), "0x18f4806"))
                .isNotZero();
        assertThat(tools.status(
                        "tpm2_nvextend", "-C", "o", "-i", temp.resolve("event").toString(), "0x18f4806"))
                .isNotZero();
        bridge = connect();
        assertThat(register().read()).isEqualTo(value);
        tools("tpm2_nvundefine -C o 0x18f4806");
        assertThat(register().read()).isEqualTo(SoftwareState.ZERO);
        assertThatThrownBy(() -> register().extend(EVENT))
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_REFUSED));
        // Nor do the tools get in, which satisfy all of the policy that can be satisfied.
        bridge.close();
        assertThat(tools.script("""
                set -e; cd %s
                tpm2_startauthsession --policy-session -S s
                tpm2_policynvwritten -S s c
                tpm2_policypcr -S s -l sha256:15 -L first
                tpm2_policyor -S s -L either sha256:first,first
                tpm2_nvextend -P session:s -i event 0x18f4806
                """.formatted(temp))).isNotZero();
        bridge = connect();
        assertThat(register().read()).isEqualTo(SoftwareState.ZERO);
    }

    @ParameterizedTest
    @ValueSource(strings = {"pcr:14", "nv:14", "pcr:23", "nv:15"})
    void readsWhatItPrints(String text) throws Exception {
        assertThat(TpmRegister.parse(text).orThrow()).hasToString(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "14", "pcr", "pcr:", "pcr:17", "pcr:24", "nv:16", "nv:23", "nv:-1", "rom:14", "nv:14:1"})
    void refusesOtherRegisters(String text) {
        assertThat(TpmRegister.parse(text).isAccepted()).isFalse();
    }
}
