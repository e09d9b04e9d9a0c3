package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.agent.state.StateLock;
import dev.holdfast.attestation.DeviceName;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeInventory;
import dev.holdfast.trust.client.DeviceRecord;
import dev.holdfast.trust.client.FactoryRoot;
import dev.holdfast.trust.client.TrustAnchors;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Provisions a device: keys, counter, the first record of what was seen, and last the anchor, so that what is cut off before leaves a
 * device that is not provisioned. One thread.
 */
final class Provisioning {
    private final AgentConfig config;
    private final FactoryRoot root;
    private final Consent.Given consent;
    private final PrintWriter out;
    private final TeeFiles files;

    Provisioning(AgentConfig config, FactoryRoot root, Consent.Given consent, PrintWriter out) {
        this.config = config;
        this.root = root;
        this.consent = consent;
        this.out = out;
        this.files = new TeeFiles(config.stateDir());
    }

    /** A root of another fleet would bind the device to that one for good. */
    static void requireFleet(FactoryRoot root, AgentConfig config) throws RejectedException {
        Optional<String> named = root.root().fleet();
        if (named.isPresent() && !named.get().equals(config.identity().fleet())) {
            throw new RejectedException(
                    Code.CFG_INVALID,
                    config.root().factoryRoot() + " is the root of the fleet " + named.get()
                            + ", and the configuration says fleet = \""
                            + config.identity().fleet() + "\"");
        }
    }

    /** The first time, and whenever a script says it again. */
    void once(boolean acceptState) throws IOException, TeeException, RejectedException {
        if (!acceptState && isAnchored()) {
            return;
        }
        // What would change under a running agent must not: it holds the record and the bridge.
        try (StateLock _ = StateLock.take(config.stateDir())) {
            AuthValue value = authorization();
            try (TeeBridge bridge = TeeBridges.open(config, value, files.endorsement())) {
                Optional<Sha256> anchor = TeeBridges.anchors(bridge).store().read();
                if (anchor.isPresent()) {
                    requireSame(anchor.get());
                    accept(bridge);
                    return;
                }
                requireNothingSeen(bridge);
            }
            consent.requireUnlessScript("Anchor this root in " + config.root().tee() + " for good?");
            make(value, files.endorsement(), Optional.empty(), false);
        }
    }

    private AuthValue authorization() throws IOException, RejectedException {
        AuthValue known = files.authorization();
        return known.isEmpty() ? TeeFiles.freshAuthorization() : known;
    }

    /** Only looks, and says what there is. */
    private boolean isAnchored() throws IOException, TeeException, RejectedException {
        try (TeeBridge bridge = TeeBridges.open(config, authorization(), files.endorsement())) {
            TrustAnchors anchors = TeeBridges.anchors(bridge);
            Optional<Sha256> anchor = anchors.store().read();
            if (anchor.isEmpty()) {
                return false;
            }
            requireSame(anchor.get());
            anchors.generation().read(); // TEE-STATE where the counter is gone.
            out.println("already anchored: " + root.hash() + " in " + of(bridge));
            print(bridge);
            return true;
        }
    }

    private void accept(TeeBridge bridge) throws IOException, TeeException, RejectedException {
        TrustAnchors anchors = TeeBridges.anchors(bridge);
        anchors.generation().read(); // TEE-STATE where the counter is gone.
        DeviceRecord record = record(anchors);
        consent.requireUnlessScript("Accept the state on the disk (" + record.text() + ")?");
        logAccepted(record);
        record.sign();
        out.println("the state on the disk is accepted as it is: " + record.text());
        out.println("already anchored: " + root.hash() + " in " + of(bridge));
        print(bridge);
    }

    /** A record beside no anchor is of a device that was provisioned before, or the power went before the first time was over. */
    private void requireNothingSeen(TeeBridge bridge) throws IOException, TeeException, RejectedException {
        if (DeviceRecord.exists(config.trustDir()) && !isFirst(bridge)) {
            throw new RejectedException(
                    Code.TEE_STATE,
                    "this device was provisioned before, and its root of trust holds nothing of that any more: "
                            + "holdfast provision --again");
        }
    }

    private boolean isFirst(TeeBridge bridge) throws IOException, TeeException, RejectedException {
        try {
            DeviceRecord record = record(TeeBridges.anchors(bridge));
            return record.standing() == DeviceRecord.Standing.CURRENT && record.saysNothing();
        } catch (RejectedException e) {
            if (e.rejection().code() == Code.TEE_STATE) {
                return false;
            }
            throw e;
        }
    }

    /** Makes what is missing, whatever became of the rest. */
    void again(boolean acceptState) throws IOException, TeeException, RejectedException {
        try (StateLock _ = StateLock.take(config.stateDir())) {
            AuthValue value = authorization();
            String shown = lookAgain(value);
            consent.require(
                    acceptState
                            ? "Make anew what is missing, and take the state on the disk as it is, older or not?"
                            : "Make anew what is missing, and take the state on the disk where there was no newer one?");
            make(value, Optional.empty(), Optional.of(shown), acceptState);
        }
    }

    /** What a person sees before making anything anew; the line on the record. */
    private String lookAgain(AuthValue value) throws IOException, TeeException, RejectedException {
        try (TeeBridge bridge = TeeBridges.open(config, value, Optional.empty())) {
            Optional<Sha256> anchored = anchor(bridge);
            if (anchored.isPresent()) {
                requireSame(anchored.get());
                out.println("anchored now: " + anchored.get());
            }
            Optional<Binary> pinned = files.endorsement();
            if (pinned.isPresent() && !pinned.equals(TeeBridges.endorsement(bridge))) {
                out.println("this TPM is not the one of the time before");
            }
            print(bridge);
            String shown = shown(bridge);
            out.println("  " + shown);
            out.flush();
            return shown;
        }
    }

    private String shown(TeeBridge bridge) throws IOException, TeeException, RejectedException {
        try {
            return line(record(TeeBridges.anchors(bridge)));
        } catch (RejectedException e) {
            if (e.rejection().code() != Code.TEE_STATE) {
                throw e;
            }
            return "state record: cannot be checked before the keys are made anew (" + e.rejection() + ")";
        }
    }

    private static String line(DeviceRecord record) {
        return "state record: " + record.standing() + ", " + record.text();
    }

    /** One that somebody planted counts for none. */
    private static Optional<Sha256> anchor(TeeBridge bridge) throws TeeException {
        try {
            return TeeBridges.anchors(bridge).store().read();
        } catch (TeeException e) {
            if (e.code() == Code.TEE_STATE) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private void requireSame(Sha256 anchored) throws RejectedException {
        if (!anchored.equals(root.hash())) {
            throw new RejectedException(
                    Code.TEE_REFUSED,
                    "another factory root is anchored, " + anchored
                            + ": restore its file, or holdfast deprovision to give this device to another fleet");
        }
    }

    /** @param shown what a person was told of the record before; empty the first time, when there is none */
    private void make(AuthValue value, Optional<Binary> pinned, Optional<String> shown, boolean acceptState)
            throws IOException, TeeException, RejectedException {
        AgentConfig chosen = new RegisterChoice(config, files, out).make(value, pinned);
        try (TeeBridge bridge = TeeBridges.open(chosen, value, pinned)) {
            Provisioner provisioner = TeeBridges.provisioner(bridge);
            AuthValue owner = consent.ownerPassword(provisioner);
            if (bridge.enroller().isPresent()) {
                files.keepAuthorization(value);
            }
            List<String> made = new ArrayList<>(provisioner.prepareKeys(owner));
            DeviceRecord record = record(TeeBridges.anchors(bridge));
            if (shown.isPresent() && !shown.get().equals(line(record))) {
                out.println("  " + line(record));
                consent.require("With the keys made anew, this is the state on the disk. Go on with it?");
            }
            boolean anchored = anchor(bridge).isPresent();
            requireNewest(record, anchored, acceptState);
            if (record.standing() == DeviceRecord.Standing.UNCOUNTED) {
                record.beginRenewal();
            }
            made.addAll(provisioner.prepareCounter(owner));
            if (record.standing() == DeviceRecord.Standing.UNCOUNTED && !acceptState && !record.isNewest()) {
                throw older("there is a new counter, and by it there may have been a newer record than this one ("
                        + record.text() + ")");
            }
            if (acceptState) {
                logAccepted(record);
            }
            if (record.standing() == DeviceRecord.Standing.FOREIGN && !anchored) {
                // The keys are others, so what was issued for the ones before is of no use.
                CertificateStore.forget(config.certificateDir());
                made.add("this device has other keys than before: the fleet has to let it enrol again, "
                        + "fleet devices replace "
                        + TeeBridges.named(config, bridge).topics().device());
            }
            record.sign();
            made.add("state record: was " + record.standing() + (acceptState ? ", accepted as it is" : "") + ", "
                    + record.text());
            Optional<Binary> endorsement = TeeBridges.endorsement(bridge);
            if (endorsement.isPresent() && !endorsement.equals(files.endorsement())) {
                files.pinEndorsement(endorsement.get());
            }
            log(shown.isPresent() ? ProvisioningLog.Act.PROVISIONED_AGAIN : ProvisioningLog.Act.PROVISIONED, made);
            // Last: what is cut off before is done again by the same command, and nothing is missing after it.
            provisioner.anchor(root.hash(), owner);
            made.forEach(line -> out.println("  made: " + line));
            out.println("anchored " + root.hash() + " in " + of(bridge));
            out.println("the fleet knows this device by the key " + DeviceName.endorsement(bridge) + "; its name is "
                    + TeeBridges.named(config, bridge).topics().device());
            print(bridge);
        }
    }

    /** @param anchored whether the TEE holds the factory root still, so that it was not cleared and the device must have a record */
    private static void requireNewest(DeviceRecord record, boolean anchored, boolean acceptState)
            throws RejectedException {
        if (acceptState) {
            return;
        }
        switch (record.standing()) {
            case CURRENT, UNCOUNTED -> {}
            case BEHIND -> throw older("the state on the disk is older than what the TEE has counted");
            case ABSENT -> requireCleared(anchored, "gone");
            case FOREIGN -> requireCleared(anchored, "damaged, or signed by another key");
            case OTHER_ROOT -> requireCleared(anchored, "replaced by one of another root");
        }
    }

    private static void requireCleared(boolean anchored, String record) throws RejectedException {
        if (anchored) {
            throw older("the TEE holds this factory root still, and the record under it is " + record
                    + ", so all floors would fall");
        }
    }

    private static RejectedException older(String why) {
        return new RejectedException(
                Code.TEE_ROLLBACK, why + ": where that is known and meant, holdfast provision --again --accept-state");
    }

    private DeviceRecord record(TrustAnchors anchors) throws IOException, RejectedException {
        return DeviceRecord.look(config.trustDir(), root.root().envelope().bytes(), anchors)
                .orThrow();
    }

    /** Before the record is signed: none is accepted without a line. */
    private void logAccepted(DeviceRecord record) throws IOException {
        log(ProvisioningLog.Act.STATE_ACCEPTED, List.of(record.standing().name(), record.text()));
    }

    private void log(ProvisioningLog.Act act, List<String> details) throws IOException {
        ObjectNode what = Json.object()
                .put("factoryRoot", root.hash().hex())
                .put("tee", config.root().tee());
        new ProvisioningLog(config.stateDir()).append(act, config, what, details);
    }

    private static String of(TeeBridge bridge) {
        return bridge.describe().kind() + " (" + bridge.describe().assurance() + ")";
    }

    private void print(TeeBridge bridge) throws TeeException {
        for (TeeInventory.Finding finding : bridge.inventory().findings()) {
            out.println("  " + finding.name() + ": " + finding.detail()
                    + (finding.remedy().isEmpty() ? "" : " -> " + finding.remedy()));
        }
        out.flush();
    }
}
