package dev.holdfast.acceptance;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The programs under test, started by the package's own launcher with the jars of the build tree. */
final class Program {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final String JAVA =
            Path.of(System.getProperty("java.home"), "bin", "java").toString();

    /** What tells the launcher where the build tree has what the package has elsewhere. */
    static final Map<String, String> ENVIRONMENT = Map.of(
            "HOLDFAST_JAVA", JAVA,
            "HOLDFAST_JVM", ROOT.resolve("systemd/jvm").toString(),
            "HOLDFAST_LIB_AGENT", lib("agent/daemon"),
            "HOLDFAST_LIB_INFERENCE", lib("inference/daemon"),
            "HOLDFAST_LIB_BRIDGE", lib("control/bridge"),
            "HOLDFAST_LIB_CLI", lib("agent/cli"),
            "HOLDFAST_LIB_FLEET", lib("fleet/cli"));

    private Program() {}

    private static String lib(String module) {
        return ROOT.resolve(module).resolve("target/lib").toString();
    }

    /** @param name {@code holdfast} or {@code fleet} */
    static List<String> launch(String name, String... arguments) {
        List<String> command = new ArrayList<>(
                List.of(ROOT.resolve("systemd/bin").resolve(name).toString()));
        command.addAll(List.of(arguments));
        return command;
    }

    /** The agent with its own options and jars, begun by {@link dev.holdfast.agent.AgentThatWaits}. */
    static List<String> agentThatWaits(String... arguments) {
        Path options = ROOT.resolve("systemd/jvm");
        List<String> command = new ArrayList<>(List.of(
                JAVA,
                "@" + options.resolve("common.options"),
                "@" + options.resolve("agent.options"),
                "-cp",
                lib("agent/daemon") + "/*:" + Path.of("target/test-classes").toAbsolutePath(),
                "dev.holdfast.agent.AgentThatWaits"));
        command.addAll(List.of(arguments));
        return command;
    }
}
