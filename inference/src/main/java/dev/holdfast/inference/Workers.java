package dev.holdfast.inference;

/** What computes: kernels, and the threads that share a job. Thread-safe. */
record Workers(Kernels kernels, ThreadTeam team) implements AutoCloseable {
    static Workers of(int threads) {
        return new Workers(new VectorKernels(), new ThreadTeam(threads));
    }

    @Override
    public void close() {
        team.close();
    }
}
