package dev.holdfast.agent.state;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;

/**
 * Whose the state directory is. A command of root stays out of one that belongs to another user: whoever took that user's process could
 * leave links there, and root would write and read where they lead.
 */
public final class StateOwner {
    private static final long ROOT = 0;

    private StateOwner() {}

    /**
     * Refuses what root began in the directory of another user, with the line to say instead.
     *
     * @throws RejectedException {@code TEE-REFUSED}
     */
    public static void require(Path stateDir, CommandSpec command) throws IOException, RejectedException {
        List<String> said = command.root().commandLine().getParseResult().originalArgs();
        Optional<String> line = instead(stateDir, caller(), said);
        if (line.isPresent()) {
            throw new RejectedException(
                    Code.TEE_REFUSED,
                    stateDir + " belongs to another user, whose links root would follow: " + line.get());
        }
    }

    /** The command of {@code said} as the directory's user, where {@code caller} is root and the directory is not; else nothing. */
    public static Optional<String> instead(Path stateDir, long caller, List<String> said) throws IOException {
        if (caller != ROOT || !Files.exists(stateDir) || uid(stateDir) == ROOT) {
            return Optional.empty();
        }
        return Optional.of("runuser -u " + Files.getOwner(stateDir).getName() + " -- holdfast "
                + said.stream().map(StateOwner::quoted).collect(Collectors.joining(" ")));
    }

    /** The user of this process. */
    public static long caller() throws IOException {
        return uid(Path.of("/proc/self"));
    }

    private static long uid(Path file) throws IOException {
        return ((Number) Files.getAttribute(file, "unix:uid")).longValue();
    }

    /** For a shell. */
    private static String quoted(String argument) {
        return argument.matches("[A-Za-z0-9_./:=@%+,-]+") ? argument : "'" + argument.replace("'", "'\\''") + "'";
    }
}
