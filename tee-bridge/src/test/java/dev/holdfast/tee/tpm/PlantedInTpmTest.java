package dev.holdfast.tee.tpm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.BridgeContract;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeInventory;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.interfaces.ECPublicKey;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a member of group tss leaves in the places of Holdfast's indexes and keys, where the owner has no password, is told of,
 * and neither provisioning nor removing everything stumbles over it.
 */
class PlantedInTpmTest {
    private static final Sha256 ROOT = BridgeContract.DIGEST;
    private static final TpmRegister.Nv REGISTER = new TpmRegister.Nv(15);
    private static final AuthValue OWNER = AuthValue.of("secret");
    /** Name in the inventory, by index. */
    private static final Map<String, String> PLACES = Map.of(
            "0x18f4803", "factory root index",
            "0x18f4806", "register",
            "0x18f4807", TeeInventory.STATE_COUNTER);

    @TempDir
    Path temp;

    private Swtpm swtpm;
    private Tpm2Bridge bridge;

    @BeforeEach
    void open() throws Exception {
        swtpm = Swtpm.start(temp);
        reopen("a random value");
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

    private void reopen(String authorization) throws Exception {
        if (bridge != null) {
            bridge.close();
        }
        bridge = Tpm2Bridge.open(
                swtpm.address(), Tpm2Options.DEFAULT.with(REGISTER).authorized(AuthValue.of(authorization)));
    }

    private void tools(String script) throws Exception {
        bridge.close();
        assertThat(new TpmTools(temp, swtpm).script("set -e; cd " + temp + "\n" + script))
                .as(Files.readString(temp.resolve("tools.log")))
                .isZero();
        reopen("a random value");
    }

    private Provisioner provisioner() {
        return bridge.provisioner().orElseThrow();
    }

    private TeeInventory.Finding finding(String name) throws Exception {
        return bridge.inventory().findings().stream()
                .filter(one -> one.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private byte[] sign() throws Exception {
        return bridge.signer().orElseThrow().sign(ROOT);
    }

    /** With other attributes, and named by another algorithm. */
    @Test
    void anIndexOfAnotherKindIsToldOfReplacedAndRemoved() throws Exception {
        String planted = "tpm2_nvdefine -C o %s -s 32 -a 'ownerwrite|authwrite|ownerread|authread' %s";
        for (String index : List.of("0x18f4803", "0x18f4806", "0x18f4807", "0x18f4804")) {
            for (String algorithm : List.of("-g sha256", "-g sha384")) {
                BridgeContract.provision(bridge, ROOT);
                tools("tpm2_nvundefine -C o " + index + " || true\n" + planted.formatted(algorithm, index));
                if (PLACES.containsKey(index)) {
                    TeeInventory.Finding found = finding(PLACES.get(index));
                    assertThat(found.remedy()).as(index).isEqualTo(TeeInventory.PROVISION_AGAIN);
                    assertThat(found.detail()).contains("not as Holdfast defines it");
                }
                assertThat(provisioner().measuredBefore()).isEmpty();
                BridgeContract.provision(bridge, ROOT);
                assertThat(bridge.inventory().findings())
                        .as(index)
                        .allSatisfy(one -> assertThat(one.state()).isEqualTo(TeeInventory.State.SOUND));
                tools("tpm2_nvundefine -C o " + index + " || true\n" + planted.formatted(algorithm, index));
                assertThat(provisioner().remove(AuthValue.EMPTY)).isNotEmpty();
                tools("test -z \"$(tpm2_getcap handles-nv-index)\"");
            }
        }
    }

    /** As Holdfast defines it, but for a password that only they know. */
    @Test
    void anIndexWithAPasswordOfTheirsIsToldOfReplacedAndRemoved() throws Exception {
        Files.write(temp.resolve("root"), ROOT.toArray());
        Files.write(temp.resolve("policy"), REGISTER.policy().toArray());
        BridgeContract.provision(bridge, ROOT);
        String locked = """
                tpm2_nvundefine -C o 0x18f4803
                tpm2_nvdefine -C o -p theirs -s 32 -a 'ownerwrite|authwrite|ownerread|authread|no_da|writedefine' 0x18f4803
                """;
        String register = """
                tpm2_nvundefine -C o 0x18f4806
                tpm2_nvdefine -C o -p theirs -s 32 -L policy \\
                    -a 'nt=extend|policywrite|ownerread|authread|no_da|orderly|clear_stclear' 0x18f4806
                """;
        String written = "tpm2_nvwrite -C o -i root 0x18f4803\ntpm2_nvwritelock -C o 0x18f4803\n";
        for (String plant : List.of(locked + register, locked + written)) {
            tools(plant);
            bridge.inventory();
            BridgeContract.provision(bridge, ROOT);
            assertThat(bridge.anchorStore().orElseThrow().read()).contains(ROOT);
            bridge.register().orElseThrow().extend(ROOT);
            assertThat(bridge.register().orElseThrow().read())
                    .isNotEqualTo(new Sha256(REGISTER.cap().value()));
        }
        tools(locked + written);
        assertThat(finding("factory root index").detail()).contains("has a password");
        assertThat(provisioner().remove(AuthValue.EMPTY)).isNotEmpty();
        tools("test -z \"$(tpm2_getcap handles-nv-index)\"");
    }

    /** A key of our template, with another random number in it, at the place of a stored one. */
    @Test
    void aStoredKeyThatTheTpmDoesNotDeriveIsRemoved() throws Exception {
        ECPublicKey signer = bridge.signer().orElseThrow().publicKey();
        BridgeContract.provision(bridge, ROOT);
        tools("""
                tpm2_createprimary -Q -C o -G ecc256:ecdsa-sha256 -c own.ctx \\
                    -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign'
                tpm2_evictcontrol -Q -C o -c own.ctx 0x81008f43
                """);
        assertThat(P256.encode(bridge.signer().orElseThrow().publicKey()))
                .as("it is taken for ours")
                .isNotEqualTo(P256.encode(signer));
        assertThat(finding("owner").remedy()).isEqualTo(TeeInventory.PROVISION_AGAIN);
        assertThat(provisioner().prepareKeys(AuthValue.EMPTY))
                .singleElement()
                .asString()
                .contains("0x81008f43 is removed");
        assertThat(P256.encode(bridge.signer().orElseThrow().publicKey())).isEqualTo(P256.encode(signer));
        assertThat(P256.verify(signer, ROOT, sign())).isTrue();
        assertThat(provisioner().prepareKeys(AuthValue.EMPTY)).isEmpty();
    }

    /** The value was lost with the state directory, and a new one was drawn. */
    @Test
    void storedKeysGetTheNewValueWhereTheOldOneIsLost() throws Exception {
        tools("tpm2_changeauth -c o secret");
        assertThat(provisioner().prepareKeys(OWNER)).hasSize(2);
        ECPublicKey signer = bridge.signer().orElseThrow().publicKey();
        byte[] sealed = bridge.sealer().orElseThrow().seal(new byte[] {1, 2, 3});
        reopen("another random value");
        assertThatThrownBy(this::sign)
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_REFUSED));
        assertThat(finding("owner").detail()).contains("0x81008f43", "does not take");
        assertThat(finding("owner").remedy()).isEqualTo(TeeInventory.PROVISION_AGAIN);
        assertThat(provisioner().prepareKeys(OWNER)).hasSize(2);
        assertThat(finding("owner").state()).isEqualTo(TeeInventory.State.SOUND);
        assertThat(P256.verify(signer, ROOT, sign())).as("the same key").isTrue();
        assertThat(bridge.sealer().orElseThrow().unseal(sealed)).containsExactly(1, 2, 3);
        assertThat(provisioner().prepareKeys(OWNER)).isEmpty();
    }
}
