package dev.holdfast.tee;

import dev.holdfast.wire.Sha256;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A root of trust that can sign but not remember, together with one that keeps state: each capability is the first one's
 * where it has it, and the second one's otherwise. A claim about the whole is as good as its weaker half, so the
 * assurance is the lower of the two. Thread-safe.
 */
public final class CompositeBridge implements TeeBridge {
    private final TeeBridge keys;
    private final TeeBridge state;

    /** Takes both over: {@link #close} closes them. */
    public CompositeBridge(TeeBridge keys, TeeBridge state) {
        this.keys = keys;
        this.state = state;
    }

    @Override
    public TeeDescription describe() {
        TeeDescription first = keys.describe();
        TeeDescription second = state.describe();
        return new TeeDescription(
                first.kind(),
                first.assurance().compareTo(second.assurance()) < 0 ? first.assurance() : second.assurance(),
                first.detail() + " (" + first.assurance() + "); what it lacks: " + second.detail() + " ("
                        + second.assurance() + ")");
    }

    @Override
    public Optional<DeviceSigner> signer() {
        return keys.signer().or(state::signer);
    }

    @Override
    public Optional<AnchorVerifier> anchorVerifier() {
        return keys.anchorVerifier().or(state::anchorVerifier);
    }

    @Override
    public Optional<AnchorStore> anchorStore() {
        return keys.anchorStore().or(state::anchorStore);
    }

    @Override
    public Optional<Sealer> sealer() {
        return keys.sealer().or(state::sealer);
    }

    @Override
    public Optional<MonotonicCounter> stateCounter() {
        return keys.stateCounter().or(state::stateCounter);
    }

    @Override
    public Optional<MeasurementRegister> register() {
        return keys.register().or(state::register);
    }

    @Override
    public Optional<Quoter> quoter() {
        return keys.quoter().or(state::quoter);
    }

    @Override
    public Optional<Enroller> enroller() {
        return keys.enroller().or(state::enroller);
    }

    /** What keeps state is provisioned; from both is removed. */
    @Override
    public Optional<Provisioner> provisioner() {
        return state.provisioner()
                .map(made -> keys.provisioner()
                        .<Provisioner>map(own -> new Both(made, own))
                        .orElse(made));
    }

    private record Both(Provisioner state, Provisioner keys) implements Provisioner {
        @Override
        public boolean ownerHasPassword() throws TeeException {
            return state.ownerHasPassword();
        }

        @Override
        public List<String> prepareKeys(AuthValue owner) throws TeeException {
            return state.prepareKeys(owner);
        }

        @Override
        public List<String> prepareCounter(AuthValue owner) throws TeeException {
            return state.prepareCounter(owner);
        }

        @Override
        public void anchor(Sha256 factoryRoot, AuthValue owner) throws TeeException {
            state.anchor(factoryRoot, owner);
        }

        @Override
        public List<String> remove(AuthValue owner) throws TeeException {
            List<String> removed = new ArrayList<>(state.remove(owner));
            removed.addAll(keys.remove(owner));
            return removed;
        }
    }

    @Override
    public void close() {
        keys.close();
        state.close();
    }
}
