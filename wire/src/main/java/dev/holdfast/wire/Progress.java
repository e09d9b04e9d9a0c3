package dev.holdfast.wire;

/** Is told how far a long job came. Called on the job's thread: be quick. */
@FunctionalInterface
public interface Progress {
    Progress SILENT = (done, total) -> {};

    /**
     * @param done bytes of the result that are dealt with
     * @param total bytes of the result
     */
    void at(long done, long total);
}
