package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.agent.Doctor.Check;
import dev.holdfast.agent.Doctor.Outcome;
import dev.holdfast.agent.state.StateOwner;
import dev.holdfast.control.AgentPaths;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeInventory;
import dev.holdfast.tee.software.SoftwareState;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.trust.client.DeviceRecord;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** The doctor's section on the TEE and what provisioning left there. */
final class RootOfTrustChecks {
    private final AgentConfig config;
    private final Consumer<Check> checks;

    RootOfTrustChecks(AgentConfig config, Consumer<Check> checks) {
        this.config = config;
        this.checks = checks;
    }

    void run(Optional<JsonNode> status) {
        Optional<Sha256> factory = Optional.empty();
        try {
            factory = Optional.of(Sha256.ofFile(config.root().factoryRoot()));
        } catch (IOException e) {
            check(
                    "factory root",
                    Outcome.FAIL,
                    "cannot read " + config.root().factoryRoot(),
                    "copy 1.root.json of the fleet there");
        }
        if (status.isPresent()) {
            JsonNode tee = status.get().path("tee");
            describe(
                    tee.path("kind").asText(),
                    tee.path("assurance").asText(),
                    tee.path("detail").asText());
            Optional<Sha256> trusted = factory;
            Doctor.ask(config.sockets().agent(), AgentPaths.TEE).ifPresent(inventory -> inventory(inventory, trusted));
            return;
        }
        if (notForRoot()) {
            return;
        }
        try (TeeBridge bridge = TeeBridges.open(config)) {
            describe(
                    bridge.describe().kind().name(),
                    bridge.describe().assurance().name(),
                    bridge.describe().detail());
            inventory(TeeBridges.inventory(bridge, foreignRegister(bridge)), factory);
        } catch (TeeException e) {
            check(
                    "TEE",
                    Outcome.FAIL,
                    String.valueOf(e.getMessage()),
                    e.code() == Code.TEE_STATE
                            ? TeeInventory.PROVISION_AGAIN
                            : "check tee = \"" + config.root().tee() + "\" and the rights on it");
        } catch (IOException e) {
            check(
                    "TEE",
                    Outcome.FAIL,
                    String.valueOf(e.getMessage()),
                    "check tee = \"" + config.root().tee() + "\" and the rights on it");
        }
    }

    /** Root looks at nothing that is in another user's directory, and a bridge of files is opened by writing there. */
    private boolean notForRoot() {
        try {
            Optional<String> line = StateOwner.instead(config.stateDir(), StateOwner.caller(), List.of("doctor"));
            line.ifPresent(instead ->
                    check("TEE", Outcome.WARN, "not looked at: " + config.stateDir() + " is another user's", instead));
            return line.isPresent();
        } catch (IOException e) {
            check("TEE", Outcome.FAIL, String.valueOf(e.getMessage()), "check the rights on " + config.stateDir());
            return true;
        }
    }

    private void inventory(JsonNode inventory, Optional<Sha256> factory) {
        String anchored = inventory.path("factoryRoot").asText("");
        boolean same = factory.isPresent() && factory.get().hex().equals(anchored);
        check(
                "anchor",
                same ? Outcome.PASS : Outcome.FAIL,
                anchored.isEmpty() ? "not provisioned" : (same ? "the factory root " : "another root: ") + anchored,
                anchored.isEmpty()
                        ? DeviceRecord.exists(config.trustDir()) ? TeeInventory.PROVISION_AGAIN : TeeInventory.PROVISION
                        : "restore the factory root that was provisioned, or holdfast deprovision to change the fleet");
        check(
                "measurements",
                inventory.has("brokenLog") ? Outcome.FAIL : Outcome.PASS,
                inventory.has("brokenLog")
                        ? inventory.path("brokenLog").asText() + ": verifiers refuse this device's evidence"
                        : "the event log leads to the register " + config.root().register(),
                config.root().register() instanceof TpmRegister.Pcr
                        ? "restart the machine; if it comes again, other software measures there: write register = \"nv:15\""
                        : "restart the machine");
        if (inventory.has("endorsement")) {
            check(
                    "key",
                    Outcome.PASS,
                    inventory.path("endorsement").asText() + ", by which the fleet knows this device",
                    "");
        }
        provisioned();
        for (JsonNode finding : inventory.path("findings")) {
            Outcome outcome = switch (finding.path("state").asText()) {
                case "SOUND" -> Outcome.PASS;
                case "NOTABLE" -> Outcome.WARN;
                default -> Outcome.FAIL;
            };
            check(
                    finding.path("name").asText(),
                    outcome,
                    finding.path("detail").asText(),
                    finding.path("remedy").asText());
        }
    }

    /** What a person did last; nothing where this user may not read it. */
    private void provisioned() {
        try {
            if (StateOwner.instead(config.stateDir(), StateOwner.caller(), List.of())
                    .isPresent()) {
                return;
            }
            new ProvisioningLog(config.stateDir())
                    .last()
                    .ifPresent(last -> check("provisioning", Outcome.PASS, last, ""));
        } catch (IOException e) {
            check("provisioning", Outcome.WARN, String.valueOf(e.getMessage()), "check the disk");
        }
    }

    /** No agent has begun a log in this boot, so whatever the register holds is somebody else's. */
    private Optional<String> foreignRegister(TeeBridge bridge) throws TeeException {
        if (bridge.register().isEmpty() || Files.exists(config.eventsDir())) {
            return Optional.empty();
        }
        Sha256 holds = bridge.register().get().read();
        return holds.equals(SoftwareState.ZERO)
                ? Optional.empty()
                : Optional.of("the register holds " + holds + " before the first event");
    }

    private void describe(String kind, String assurance, String detail) {
        boolean hardware = assurance.equals("HARDWARE") || assurance.equals("FIRMWARE");
        check(
                "TEE",
                hardware ? Outcome.PASS : Outcome.WARN,
                kind + ", assurance " + assurance + (detail.isEmpty() ? "" : ", " + detail),
                "nothing here is hardware-backed: for development only");
    }

    private void check(String name, Outcome outcome, String detail, String fix) {
        checks.accept(new Check("root of trust", name, outcome, detail, fix));
    }
}
