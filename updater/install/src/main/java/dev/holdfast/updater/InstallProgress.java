package dev.holdfast.updater;

/**
 * How far the running install has come, for status displays.
 *
 * @param state the state
 * @param blocksDone verified blocks of the file in transfer
 * @param blocksTotal blocks of the file in transfer; 0 where none is
 * @param bytesTotal length of the file in transfer; 0 where none is
 * @param bytesReceived payload bytes that this process pulled, duplicates and wrong blocks included
 * @param blocksRefused blocks that were dropped as wrong or unknown
 */
public record InstallProgress(
        InstallState state, int blocksDone, int blocksTotal, long bytesTotal, long bytesReceived, long blocksRefused) {}
