package dev.holdfast.tee;

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

    @Override
    public void close() {
        keys.close();
        state.close();
    }
}
