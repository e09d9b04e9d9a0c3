package dev.holdfast.engine.kernels;

/** What computes: kernels, and the threads that share a job. Thread-safe. */
public record Workers(Kernels kernels, KernelPool pool) implements AutoCloseable {
    public static Workers of(int threads) {
        return new Workers(new VectorKernels(), new KernelPool(threads));
    }

    @Override
    public void close() {
        pool.close();
    }
}
