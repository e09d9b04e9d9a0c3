package dev.holdfast.tee;

import dev.holdfast.tee.software.SoftwareState;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What there is in a root of trust, for a person. Looking makes nothing and changes nothing.
 *
 * @param factoryRoot the hash that provisioning stored, where it did
 * @param findings part by part
 */
public record TeeInventory(Optional<Sha256> factoryRoot, List<Finding> findings) {
    /** How a part is. */
    public enum State {
        SOUND,
        /** Works, but a person should know. */
        NOTABLE,
        /** Not there, or half made. */
        MISSING
    }

    /**
     * One part.
     *
     * @param detail what was found, a few words
     * @param remedy what to do; empty where nothing is to be done
     */
    public record Finding(String name, State state, String detail, String remedy) {
        public static Finding sound(String name, String detail) {
            return new Finding(name, State.SOUND, detail, "");
        }
    }

    public static final String PROVISION = "holdfast provision";
    public static final String PROVISION_AGAIN = "holdfast provision --again";
    public static final String STATE_COUNTER = "state counter";
    private static final String KEYS = "keys";
    private static final String REGISTER = "register";

    public TeeInventory {
        findings = List.copyOf(findings);
    }

    /** By the bridge's own capabilities; for bridges whose reading makes nothing. */
    static TeeInventory of(TeeBridge bridge) throws TeeException {
        List<Finding> findings = new ArrayList<>();
        Optional<Sha256> anchor = Optional.empty();
        if (bridge.anchorStore().isPresent()) {
            anchor = bridge.anchorStore().get().read();
            findings.add(factoryRoot(anchor, "stored; whoever can write the files can replace it"));
        }
        if (bridge.stateCounter().isPresent()) {
            findings.add(Finding.sound(
                    STATE_COUNTER, "is at " + bridge.stateCounter().get().read()));
        }
        keys(bridge).ifPresent(findings::add);
        register(bridge).ifPresent(findings::add);
        return new TeeInventory(anchor, findings);
    }

    public static Finding factoryRoot(Optional<Sha256> anchor, String whereStored) {
        return anchor.isPresent()
                ? Finding.sound("factory root index", whereStored)
                : new Finding("factory root index", State.MISSING, "not provisioned", PROVISION);
    }

    /** The signer's thumbprint, by which the fleet knows the device. A TPM derives the key; a token makes it when it is opened. */
    public static Optional<Finding> keys(TeeBridge bridge) throws TeeException {
        if (bridge.signer().isEmpty()) {
            return Optional.empty();
        }
        String signer = "signs as " + P256.thumbprint(bridge.signer().get().publicKey());
        return Optional.of(Finding.sound(
                KEYS,
                bridge.quoter().isEmpty()
                        ? signer + "; quotes nothing"
                        : signer + ", quotes as "
                                + P256.thumbprint(bridge.quoter().get().attestationKey())));
    }

    public static Optional<Finding> register(TeeBridge bridge) throws TeeException {
        if (bridge.register().isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(register(bridge.register().get()));
        } catch (TeeException e) {
            if (e.code() != Code.TEE_STATE) {
                throw e;
            }
            return Optional.of(new Finding(REGISTER, State.MISSING, String.valueOf(e.getMessage()), PROVISION_AGAIN));
        }
    }

    private static Finding register(MeasurementRegister register) throws TeeException {
        String holds = "number " + register.index() + ", " + register.resetCount() + " resets so far, holds "
                + (register.read().equals(SoftwareState.ZERO) ? "nothing yet" : register.read());
        return register.resettable()
                ? new Finding(
                        REGISTER,
                        State.NOTABLE,
                        holds + "; software can reset it",
                        "only a TPM's PCR other than 16 and 23 holds what was measured")
                : Finding.sound(REGISTER, holds);
    }
}
