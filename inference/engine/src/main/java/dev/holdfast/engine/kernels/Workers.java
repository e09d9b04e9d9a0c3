package dev.holdfast.engine.kernels;

/** What computes: kernels, and the threads that share a job. Thread-safe. */
public record Workers(Kernels kernels, ThreadTeam team) implements AutoCloseable {
    public static Workers of(int threads) {
        return new Workers(new VectorKernels(), new ThreadTeam(threads));
    }

    @Override
    public void close() {
        team.close();
    }
}
