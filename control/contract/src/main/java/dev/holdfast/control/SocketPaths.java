package dev.holdfast.control;

import java.nio.file.Path;

/**
 * Where the sockets of a device are.
 *
 * @param agent the agent's control socket, for the {@code holdfast} command
 * @param inference where applications connect
 * @param inferenceControl where the agent reaches the inference process
 */
public record SocketPaths(Path agent, Path inference, Path inferenceControl) {}
