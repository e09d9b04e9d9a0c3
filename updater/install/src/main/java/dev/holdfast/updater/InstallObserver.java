package dev.holdfast.updater;

/** Is told of each transition after it is durable. Called on the install's thread: be quick, do not throw. */
@FunctionalInterface
public interface InstallObserver {
    void entered(InstallRecord record);
}
