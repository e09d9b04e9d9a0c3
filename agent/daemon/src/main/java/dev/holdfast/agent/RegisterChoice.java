package dev.holdfast.agent;

import dev.holdfast.attestation.EventLog;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.util.Optional;

/**
 * Which register a device that is provisioned measures into.
 *
 * @param files where a choice other than the usual one is written down
 * @param out told why
 */
record RegisterChoice(AgentConfig config, TeeFiles files, PrintWriter out) {
    /** Where somebody else measures into the usual register, evidence could never be right: another one is taken. */
    AgentConfig make(AuthValue value, Optional<Binary> pinned) throws IOException, TeeException, RejectedException {
        TpmRegister register = config.root().register();
        TpmRegister unused;
        try (TeeBridge bridge = TeeBridges.open(config, value, pinned)) {
            Provisioner provisioner = TeeBridges.provisioner(bridge);
            Optional<Sha256> holds = provisioner.measuredBefore();
            if (holds.isEmpty() || isOurs(bridge, register, holds.get())) {
                return config;
            }
            String why = switch (register) {
                case TpmRegister.Pcr(int pcr) ->
                    "PCR " + pcr + " holds " + holds.get()
                            + ", which Holdfast did not measure (on PCs shim does): evidence over it would be refused";
                case TpmRegister.Nv(int guard) ->
                    "PCR " + guard + " holds " + holds.get() + ", so nothing could be measured into " + register
                            + " before the next restart";
            };
            Optional<TpmRegister> found = provisioner.unusedRegister();
            if (found.isEmpty()) {
                throw new RejectedException(
                        Code.TEE_REFUSED,
                        why + "; no PCR is free to guard an NV register, restart the machine and try again");
            }
            unused = found.get();
            if (config.root().registerIsConfigured()) {
                throw new RejectedException(
                        Code.TEE_REFUSED,
                        why + "; write register = \"" + unused + "\" into the configuration, or leave the key out");
            }
            out.println(why + ". Taken instead: register " + unused);
        }
        files.chooseRegister(unused);
        return config.with(unused);
    }

    /** Whether this boot's event log of the agent leads to what the register holds. */
    private boolean isOurs(TeeBridge bridge, TpmRegister register, Sha256 holds) throws IOException, TeeException {
        if (register instanceof TpmRegister.Nv
                || !Files.isDirectory(config.eventsDir())
                || bridge.register().isEmpty()) {
            return false;
        }
        try (EventLog log = EventLog.open(config.eventsDir(), bridge.register().get())) {
            return log.replayed().equals(holds);
        }
    }
}
