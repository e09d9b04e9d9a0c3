package dev.holdfast.fleet.rollout;

import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.util.Collection;
import java.util.Optional;

/** The power goes right after an order was given. */
record DyingFleet(Fleet fleet) implements Fleet {
    @Override
    public Collection<String> devices() throws IOException, RejectedException {
        return fleet.devices();
    }

    @Override
    public Optional<String> desired(String device, String model) throws IOException, RejectedException {
        return fleet.desired(device, model);
    }

    @Override
    public long order(String device, String model, String version, Optional<Rollout> terms)
            throws IOException, RejectedException {
        fleet.order(device, model, version, terms);
        throw new IOException("the power is gone");
    }

    @Override
    public void drop(String device, String model) throws IOException, RejectedException {
        fleet.drop(device, model);
    }

    @Override
    public Sha256 digest(String model, String version) throws IOException, RejectedException {
        return fleet.digest(model, version);
    }

    @Override
    public Optional<Word> word(String device, String model) throws IOException {
        return fleet.word(device, model);
    }

    @Override
    public void ask(String device) {
        fleet.ask(device);
    }

    @Override
    public Optional<Proof> proof(String device, String model) throws IOException, RejectedException {
        return fleet.proof(device, model);
    }
}
