package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.FleetDirectory;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Makes a fleet. */
@Command(name = "init", description = "Makes keys and empty metadata; prints the factory root's path.")
final class InitCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Option(names = "--name", required = true, description = "The fleet's name.")
    String name = "";

    @Option(names = "--broker", required = true, description = "The broker, such as tcp://127.0.0.1:1883.")
    String broker = "";

    @Override
    public Integer call() throws Exception {
        spec.commandLine().getOut().println(in.repository().init(new FleetDirectory.Config(name, broker)));
        return 0;
    }
}
