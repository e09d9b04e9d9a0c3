package dev.holdfast.tee.tpm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.BridgeContract;
import dev.holdfast.tee.MonotonicCounter;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeInventory;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.interfaces.ECPublicKey;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is made in a TPM and removed from it, and what a member of group tss with tpm2-tools does to it. */
class TpmProvisionerTest {
    private static final Sha256 ROOT = BridgeContract.DIGEST;
    private static final AuthValue OWNER = AuthValue.of("a password of the owner");
    private static final Tpm2Options OPTIONS = Tpm2Options.DEFAULT.authorized(AuthValue.of("a random value"));

    @TempDir
    Path temp;

    private Swtpm swtpm;
    private Tpm2Bridge bridge;

    @BeforeEach
    void open() throws Exception {
        swtpm = Swtpm.start(temp);
        bridge = Tpm2Bridge.open(swtpm.address(), OPTIONS);
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

    /** Runs tools while the bridge is away; the script's status. */
    private int tools(String script) throws Exception {
        bridge.close();
        int status = new TpmTools(temp, swtpm).script("set -e; cd " + temp + "\n" + script);
        bridge = Tpm2Bridge.open(swtpm.address(), OPTIONS);
        return status;
    }

    private String said() throws Exception {
        return Files.readString(temp.resolve("tools.log"));
    }

    private MonotonicCounter counter() {
        return bridge.stateCounter().orElseThrow();
    }

    private Provisioner provisioner() {
        return bridge.provisioner().orElseThrow();
    }

    private static void assertRefused(Code code, ThrowingCallable attempt) {
        assertThatThrownBy(attempt)
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    private TeeInventory.Finding finding(String name) throws Exception {
        return bridge.inventory().findings().stream()
                .filter(one -> one.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void readingMakesNothing() throws Exception {
        assertRefused(Code.TEE_STATE, () -> counter().read());
        assertRefused(Code.TEE_STATE, () -> counter().advanceTo(5));
        assertThat(bridge.inventory().factoryRoot()).isEmpty();
        assertThat(tools("test -z \"$(tpm2_getcap handles-nv-index)\""))
                .as(said())
                .isZero();
    }

    @Test
    void aMemberOfTssDoesNotMoveTheCounter() throws Exception {
        BridgeContract.provision(bridge, ROOT);
        long counted = counter().read();
        for (String attack : new String[] {
            "tpm2_nvincrement 0x18f4807",
            "tpm2_nvincrement -C o 0x18f4807",
            "tpm2_nvincrement -P guessed 0x18f4807",
            "tpm2_nvwritelock -C o 0x18f4807"
        }) {
            assertThat(tools(attack)).as(attack).isNotZero();
        }
        assertThat(counter().read()).isEqualTo(counted);
        counter().advanceTo(counted + 1);
        assertThat(counter().read()).isEqualTo(counted + 1);
    }

    /** The owner's authorization removes the index; what is defined in its place is seen, and is above all that was counted. */
    @Test
    void aCounterThatWasRemovedIsNotMadeAnewAndNeverGoesBack() throws Exception {
        BridgeContract.provision(bridge, ROOT);
        counter().advanceTo(counter().read() + 5);
        long counted = counter().read();
        assertThat(tools("tpm2_nvundefine -C o 0x18f4807")).as(said()).isZero();
        assertRefused(Code.TEE_STATE, () -> counter().read());
        assertThat(finding(TeeInventory.STATE_COUNTER).remedy()).isEqualTo(TeeInventory.PROVISION_AGAIN);
        String again = "tpm2_nvdefine -C o -s 8 -a 'nt=counter|authwrite|authread|ownerread|no_da' %s 0x18f4807\n"
                + "tpm2_nvincrement %s 0x18f4807";
        assertThat(tools(again.formatted("-p theirs", "-P theirs"))).as(said()).isZero();
        assertRefused(Code.TEE_STATE, () -> counter().read());
        assertThat(tools("tpm2_nvundefine -C o 0x18f4807\n"
                        + again.formatted("-p 'a random value'", "-P 'a random value'")))
                .as(said())
                .isZero();
        assertThat(counter().read()).as("with the right password, too").isGreaterThan(counted);
        assertThat(tools("tpm2_nvundefine -C o 0x18f4807\n"
                        + "tpm2_nvdefine -C o -s 8 -a 'nt=counter|authwrite|authread|ownerwrite|no_da' 0x18f4807"))
                .as(said())
                .isZero();
        assertRefused(Code.TEE_STATE, () -> counter().read());
        BridgeContract.provision(bridge, ROOT);
        assertThat(counter().read()).isGreaterThan(counted);
    }

    private static final String EARLIER = """
            tpm2_nvdefine -C o -s 8 -a 'nt=counter|ownerwrite|authwrite|ownerread|authread|no_da' 0x18f4804
            tpm2_nvincrement 0x18f4804
            tpm2_nvincrement 0x18f4804
            tpm2_nvdefine -C o -s 8 -a 'ownerwrite|authwrite|ownerread|authread|no_da|writedefine' 0x18f4805
            tpm2_nvread 0x18f4804 > base
            tpm2_nvwrite -i base 0x18f4805
            tpm2_nvwritelock 0x18f4805
            tpm2_nvincrement 0x18f4804
            """;

    /** A first value that is above the counter's own was planted: what would be left of it is below nothing. */
    @Test
    void aCounterBelowItsFirstValueIsNone() throws Exception {
        String planted = EARLIER.replace(
                "tpm2_nvread 0x18f4804 > base", "printf '\\x7f\\xff\\xff\\xff\\xff\\xff\\xff\\xff' > base");
        assertThat(planted).isNotEqualTo(EARLIER);
        assertThat(tools(planted)).as(said()).isZero();
        assertRefused(Code.TEE_STATE, () -> counter().read());
        assertRefused(Code.TEE_STATE, () -> counter().advanceTo(5));
    }

    /** As long as ours and of the same name, and one attribute more: who planted it may write it when they like. */
    @Test
    void anIndexOfTheSameSizeWithOtherAttributesIsNoAnchor() throws Exception {
        assertThat(tools("""
                head -c 32 /dev/zero > value
                tpm2_nvdefine -C o -s 32 -a 'ownerwrite|authwrite|ownerread|authread|no_da|write_stclear' 0x18f4803
                tpm2_nvwrite -i value 0x18f4803
                tpm2_nvwritelock 0x18f4803
                """)).as(said()).isZero();
        assertRefused(Code.TEE_STATE, () -> bridge.anchorStore().orElseThrow().read());
    }

    @Test
    void anIndexOfAnotherSizeOrAlgorithmIsNoAnchor() throws Exception {
        for (String kind : new String[] {"-s 64", "-s 32 -g sha384"}) {
            assertThat(tools("""
                    head -c 32 /dev/zero > value
                    tpm2_nvdefine -C o %s -a 'ownerwrite|authwrite|ownerread|authread|no_da|writedefine' 0x18f4803
                    tpm2_nvwrite -i value 0x18f4803
                    tpm2_nvwritelock 0x18f4803
                    """.formatted(kind))).as(said()).isZero();
            assertRefused(
                    Code.TEE_STATE, () -> bridge.anchorStore().orElseThrow().read());
            assertThat(tools("tpm2_nvundefine -C o 0x18f4803")).as(said()).isZero();
        }
    }

    @Test
    void anAnchorThatWasNeverLockedIsNone() throws Exception {
        assertThat(tools("""
                head -c 32 /dev/zero > value
                tpm2_nvdefine -C o -s 32 -a 'ownerwrite|authwrite|ownerread|authread|no_da|writedefine' 0x18f4803
                tpm2_nvwrite -i value 0x18f4803
                """)).as(said()).isZero();
        assertThat(bridge.anchorStore().orElseThrow().read()).isEmpty();
        assertThat(tools("tpm2_nvwritelock 0x18f4803")).as(said()).isZero();
        assertThat(bridge.anchorStore().orElseThrow().read()).isPresent();
    }

    @Test
    void anotherFactoryRootIsNotAnchoredOverTheFirst() throws Exception {
        BridgeContract.provision(bridge, ROOT);
        assertRefused(Code.TEE_REFUSED, () -> provisioner().anchor(Sha256.of(new byte[] {7}), AuthValue.EMPTY));
        assertThat(bridge.anchorStore().orElseThrow().read()).hasValue(ROOT);
    }

    @Test
    void aCounterMovesByAThousandAtMost() throws Exception {
        BridgeContract.provision(bridge, ROOT);
        long counted = counter().read();
        assertRefused(Code.TEE_REFUSED, () -> counter().advanceTo(counted + 1001));
        assertThat(counter().read()).isEqualTo(counted);
    }

    @Test
    void theCounterOfAnEarlierVersionCountsUntilItIsCarriedOver() throws Exception {
        assertThat(tools(EARLIER)).as(said()).isZero();
        assertThat(counter().read()).isEqualTo(1);
        assertThat(counter().identity()).isEmpty();
        counter().advanceTo(3);
        assertThat(counter().read()).isEqualTo(3);
        assertThat(finding(TeeInventory.STATE_COUNTER).state()).isEqualTo(TeeInventory.State.NOTABLE);
        BridgeContract.provision(bridge, ROOT);
        assertThat(counter().identity()).isNotEmpty();
        assertThat(finding(TeeInventory.STATE_COUNTER).state()).isEqualTo(TeeInventory.State.SOUND);
        long counted = counter().read();
        assertThat(tools("tpm2_nvreadpublic > public; ! grep 0x18f480[45] public"))
                .as(said())
                .isZero();
        assertThat(tools(EARLIER)).as(said()).isZero();
        assertThat(counter().read()).as("one that is planted beside ours").isEqualTo(counted);
        assertThat(counter().identity()).isNotEmpty();
    }

    @Test
    void anOwnersPasswordIsAskedForAndKeepsTheDevicesKeysFromOthers() throws Exception {
        ECPublicKey signer = bridge.signer().orElseThrow().publicKey();
        byte[] sealed = bridge.sealer().orElseThrow().seal(new byte[] {1, 2, 3});
        assertThat(provisioner().ownerHasPassword()).isFalse();
        assertThat(tools("tpm2_changeauth -c o '" + "a password of the owner" + "'"))
                .as(said())
                .isZero();
        assertThat(provisioner().ownerHasPassword()).isTrue();
        assertRefused(Code.TEE_STATE, () -> bridge.signer().orElseThrow().sign(ROOT));
        assertThat(finding("owner").remedy()).isEqualTo(TeeInventory.PROVISION_AGAIN);
        assertRefused(Code.TEE_REFUSED, () -> provisioner().prepareKeys(AuthValue.EMPTY));
        assertRefused(Code.TEE_REFUSED, () -> provisioner().prepareKeys(AuthValue.of("guessed")));

        assertThat(provisioner().prepareKeys(OWNER)).hasSize(2);
        assertThat(provisioner().prepareCounter(OWNER)).hasSize(1);
        provisioner().anchor(ROOT, OWNER);
        assertThat(provisioner().prepareKeys(AuthValue.EMPTY))
                .as("nothing is left to do")
                .isEmpty();
        assertThat(provisioner().prepareCounter(AuthValue.EMPTY)).isEmpty();
        assertThat(finding("owner").state()).isEqualTo(TeeInventory.State.SOUND);
        assertThat(tools("true")).isZero();
        assertThat(P256.encode(bridge.signer().orElseThrow().publicKey())).isEqualTo(P256.encode(signer));
        assertThat(P256.verify(signer, ROOT, bridge.signer().orElseThrow().sign(ROOT)))
                .isTrue();
        assertThat(bridge.sealer().orElseThrow().unseal(sealed)).containsExactly(1, 2, 3);
        assertThat(bridge.sealer()
                        .orElseThrow()
                        .unseal(bridge.sealer().orElseThrow().seal(new byte[] {4})))
                .containsExactly(4);
        assertThat(bridge.enroller()
                        .orElseThrow()
                        .certifySigner(BridgeContract.QUALIFYING)
                        .attest()
                        .length())
                .isPositive();
        counter().advanceTo(counter().read() + 2);
        swtpm.powerCut();
        assertThat(P256.verify(signer, ROOT, bridge.signer().orElseThrow().sign(ROOT)))
                .isTrue();

        Files.write(temp.resolve("digest"), ROOT.toArray());
        for (String attack : new String[] {
            "tpm2_sign -c 0x81008f43 -g sha256 -d -o sig digest",
            "tpm2_evictcontrol -C o -c 0x81008f43",
            "tpm2_createprimary -C o -c own.ctx",
            "tpm2_nvundefine -C o 0x18f4803"
        }) {
            assertThat(tools(attack)).as(attack).isNotZero();
        }
        assertRefused(Code.TEE_REFUSED, () -> provisioner().remove(AuthValue.of("guessed")));
        assertThat(bridge.anchorStore().orElseThrow().read()).contains(ROOT);
        assertThat(provisioner().remove(OWNER)).hasSize(4);
        assertThat(tools("test -z \"$(tpm2_getcap handles-nv-index; tpm2_getcap handles-persistent)\""))
                .as(said())
                .isZero();
    }

    @Test
    void afterAClearAllCanBeMadeAgainAndTheCounterIsNotBelowTheOneBefore() throws Exception {
        BridgeContract.provision(bridge, ROOT);
        counter().advanceTo(counter().read() + 3);
        long counted = counter().read();
        ECPublicKey signer = bridge.signer().orElseThrow().publicKey();
        assertThat(tools("tpm2_clear")).as(said()).isZero();
        assertThat(bridge.anchorStore().orElseThrow().read()).isEmpty();
        assertRefused(Code.TEE_STATE, () -> counter().read());
        BridgeContract.provision(bridge, ROOT);
        assertThat(counter().read()).isGreaterThan(counted);
        assertThat(P256.encode(bridge.signer().orElseThrow().publicKey())).isNotEqualTo(P256.encode(signer));
    }
}
