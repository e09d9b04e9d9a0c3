package dev.holdfast.agent;

import dev.holdfast.agent.state.StateOwner;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.client.FactoryRoot;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.Instant;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "provision",
        description = {
            "Checks the fleet's factory root and anchors it in the TEE, once, with a counter and the first state"
                    + " record.",
            "On a device that is provisioned already: changes nothing."
        },
        footer = {"", "Examples:", "  holdfast provision", "  holdfast provision --yes", "  holdfast provision --again"
        })
final class ProvisionCommand extends AgentCommand.Configured {
    private final Operator operator;

    @Option(
            names = "--accept-state",
            description =
                    "accept the state on the disk although the TEE has counted further, or may have: it was put back"
                            + " on purpose")
    boolean acceptState;

    @Option(
            names = "--again",
            description = {
                "make anew what is missing: after the TPM was cleared or replaced, after its counter was removed, "
                        + "once its owner has a password, or for a device of an earlier version"
            })
    boolean again;

    @Mixin
    Consent consent = new Consent();

    ProvisionCommand(Operator operator) {
        this.operator = operator;
    }

    @Override
    public Integer call() throws RejectedException, IOException, TeeException {
        AgentConfig config = config();
        StateOwner.require(config.stateDir(), spec);
        FactoryRoot root = FactoryRoot.read(config.root().factoryRoot()).orThrow();
        Provisioning.requireFleet(root, config);
        out().println(config.root().factoryRoot() + " is a factory root:");
        for (String line : root.text(Instant.now())) {
            out().println("  " + line);
        }
        out().flush();
        Provisioning provisioning = new Provisioning(config, root, consent.of(operator), out());
        if (again) {
            provisioning.again(acceptState);
        } else {
            provisioning.once(acceptState);
        }
        return 0;
    }
}
