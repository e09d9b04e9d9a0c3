package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.holdfast.agent.state.StateOwner;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who took the agent's process makes root write nowhere. */
class StateOwnerTest {
    private static final long SOMEBODY = 4711;

    @TempDir
    Path dir;

    @Test
    void onlyRootInAnotherUsersDirectoryIsSentAway() throws Exception {
        assertThat(StateOwner.instead(dir, SOMEBODY, List.of("provision"))).isEmpty();
        assertThat(StateOwner.instead(Path.of("/"), 0, List.of("provision"))).isEmpty();
        assertThat(StateOwner.instead(Path.of("/missing/at all"), 0, List.of("provision")))
                .isEmpty();
    }

    /** What the service user left in its directory leads elsewhere. */
    @Test
    void noVerbOfRootFollowsALinkInTheServiceUsersDirectory() throws Exception {
        assumeThat(StateOwner.caller())
                .as("only root can give a directory away")
                .isZero();
        try (ProvisionedDevice device = ProvisionedDevice.withFiles(dir)) {
            UserPrincipal user =
                    dir.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName("nobody");
            Path state = Files.createDirectory(dir.resolve("s"));
            Path elsewhere = Files.createDirectory(dir.resolve("elsewhere"));
            Files.createSymbolicLink(state.resolve("tee"), elsewhere);
            Files.createSymbolicLink(state.resolve("trust"), elsewhere);
            Files.createSymbolicLink(state.resolve("provisioning.jsonl"), elsewhere.resolve("log"));
            Files.setOwner(state, user);
            String line = "runuser -u nobody -- holdfast %s --config " + device.config;
            assertThat(device.refused("provision", "--yes")).contains("TEE-REFUSED", line.formatted("provision --yes"));
            assertThat(device.refused("provision", "--again", "--owner-password-file", "it's here"))
                    .contains("holdfast provision --again --owner-password-file 'it'\\''s here' --config");
            assertThat(device.refused("deprovision", "--yes")).contains(line.formatted("deprovision --yes"));
            assertThat(device.doctor())
                    .containsPattern("warn {2}TEE +not looked at")
                    .contains("-> runuser -u nobody -- holdfast doctor");
            assertThat(elsewhere).isEmptyDirectory();
        }
    }
}
