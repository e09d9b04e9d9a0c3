package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.DeviceName;
import dev.holdfast.link.BrokerAccess;
import dev.holdfast.log.Logs;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.CompositeBridge;
import dev.holdfast.tee.ConfigfsTsm;
import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.DeviceTls;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeInventory;
import dev.holdfast.tee.VmReporter;
import dev.holdfast.tee.pkcs11.Pkcs11Bridge;
import dev.holdfast.tee.pkcs11.Pkcs11Uri;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.tee.tpm.Tpm2Options;
import dev.holdfast.tee.tpm.TpmAddress;
import dev.holdfast.tee.tpm.TpmKeyArea;
import dev.holdfast.trust.client.TrustAnchors;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.InstantSource;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens the TEE that the configuration names. */
final class TeeBridges {
    private static final Logger LOG = LoggerFactory.getLogger(TeeBridges.class);

    private TeeBridges() {}

    static TeeBridge open(AgentConfig config) throws IOException, TeeException {
        try {
            TeeFiles files = new TeeFiles(config.stateDir());
            return open(config, files.authorization(), files.endorsement());
        } catch (RejectedException e) {
            throw new TeeException(
                    Code.TEE_STATE,
                    "what provisioning wrote down in " + config.stateDir() + " does not read: " + e.rejection());
        }
    }

    /**
     * The same for who provisions.
     *
     * @param endorsement the name of the endorsement key that the TPM must have; empty to take the one that it has
     */
    static TeeBridge open(AgentConfig config, AuthValue authorization, Optional<Binary> endorsement)
            throws TeeException {
        if (config.root().tee().equals("software")) {
            return SoftwareBridge.open(config.stateDir().resolve("tee"));
        }
        try {
            if (config.root().tee().startsWith(Pkcs11Uri.SCHEME)) {
                return token(config);
            }
            Tpm2Options options =
                    Tpm2Options.DEFAULT.with(config.root().register()).authorized(authorization);
            if (endorsement.isPresent()) {
                options = options.pinned(endorsement.get());
            }
            return Tpm2Bridge.open(TpmAddress.parse(config.root().tee()).orThrow(), options);
        } catch (RejectedException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, e.rejection().toString());
        }
    }

    /** A token keeps the device's key and checks anchors; what it cannot remember goes to files, and the assurance with it. */
    private static TeeBridge token(AgentConfig config) throws TeeException, RejectedException {
        Pkcs11Bridge token =
                Pkcs11Bridge.open(Pkcs11Uri.parse(config.root().tee()).orThrow());
        try {
            return new CompositeBridge(
                    token, SoftwareBridge.open(config.stateDir().resolve("tee")));
        } catch (TeeException e) {
            token.close();
            throw e;
        }
    }

    /** Who reports on the machine, where the configuration asks for it. Without one the agent goes on, and says so in its log. */
    static Optional<VmReporter> machine(AgentConfig config) {
        if (config.root().vmReports().isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(ConfigfsTsm.open(config.root().vmReports().get()));
        } catch (TeeException e) {
            LOG.warn("no reports on this machine: {}", e.getMessage());
            return Optional.empty();
        }
    }

    /**
     * What there is in the TEE, as the control socket tells it.
     *
     * @param brokenLog why the event log does not lead to the register, {@link dev.holdfast.attestation.EventLog#broken}
     */
    static ObjectNode inventory(TeeBridge bridge, Optional<String> brokenLog) throws TeeException {
        TeeInventory inventory = bridge.inventory();
        ObjectNode node = Json.object();
        inventory.factoryRoot().ifPresent(hash -> node.put("factoryRoot", hash.hex()));
        brokenLog.ifPresent(why -> node.put("brokenLog", why));
        if (bridge.quoter().isPresent()) {
            byte[] spki = bridge.quoter().get().attestationKey().getEncoded();
            node.put("attestationKey", Binary.copyOf(spki).hex());
        }
        if (bridge.enroller().isPresent() || bridge.signer().isPresent()) {
            node.put("endorsement", DeviceName.endorsement(bridge).hex());
        }
        ArrayNode list = node.putArray("findings");
        for (TeeInventory.Finding finding : inventory.findings()) {
            list.addObject()
                    .put("name", finding.name())
                    .put("state", finding.state().name())
                    .put("detail", finding.detail())
                    .put("remedy", finding.remedy());
        }
        return node;
    }

    /** The name of the TPM's endorsement key; empty without a TPM. */
    static Optional<Binary> endorsement(TeeBridge bridge) throws TeeException, RejectedException {
        return bridge.enroller().isEmpty()
                ? Optional.empty()
                : Optional.of(TpmKeyArea.parse(bridge.enroller().get().endorsementPublic())
                        .orThrow()
                        .name());
    }

    static Provisioner provisioner(TeeBridge bridge) throws TeeException {
        return bridge.provisioner().orElseThrow(() -> lacks("anything to provision"));
    }

    /** The configuration with the device's name, which its keys give where the file says {@code auto}; log lines then carry it, too. */
    static AgentConfig named(AgentConfig config, TeeBridge bridge) throws TeeException {
        if (config.identity().device().isPresent()) {
            return config;
        }
        String name = DeviceName.of(DeviceName.endorsement(bridge));
        Logs.ofDevice(name);
        return config.named(name);
    }

    /** What the trust client needs of the TEE; every part must be there. */
    static TrustAnchors anchors(TeeBridge bridge) throws TeeException {
        return new TrustAnchors(
                bridge.anchorStore().orElseThrow(() -> lacks("an anchor store")),
                bridge.anchorVerifier().orElseThrow(() -> lacks("signature verification")),
                bridge.signer().orElseThrow(() -> lacks("a signing key")),
                bridge.stateCounter().orElseThrow(() -> lacks("a counter")));
    }

    /** The certificates for this device's key. */
    static CertificateStore certificates(AgentConfig config, TeeBridge bridge, InstantSource clock)
            throws IOException, TeeException {
        DeviceSigner signer = bridge.signer().orElseThrow(() -> lacks("a signing key"));
        return CertificateStore.open(
                config.certificateDir(),
                Binary.copyOf(signer.publicKey().getEncoded()),
                config.broker().usesTheTee(),
                clock);
    }

    /** A broker with TLS is reached with the device's key in the TEE and the certificate that enrolment brings, or with what files hold. */
    static BrokerAccess access(AgentConfig config, TeeBridge bridge, CertificateStore certificates)
            throws TeeException {
        if (!config.broker().usesTheTee()) {
            return config.broker().access();
        }
        DeviceSigner signer = bridge.signer().orElseThrow(() -> lacks("a signing key"));
        BrokerAccess.ClientKey.Held key = () -> DeviceTls.keys(signer, certificates.offered());
        return config.broker().access().with(key);
    }

    private static TeeException lacks(String what) {
        return new TeeException(Code.TEE_UNAVAILABLE, "this root of trust lacks " + what);
    }
}
