package dev.holdfast.tee;

import dev.holdfast.wire.Binary;

/** Asks the module that guards a confidential virtual machine for a report on it. Takes seconds; thread-safe. */
public interface VmReporter extends AutoCloseable {
    int REPORT_DATA_BYTES = 64;
    int MAX_PROVIDER_CHARS = 64;
    /** A quote of TDX has about 5 KB, a report of SEV-SNP 1,184 bytes; little beside the rest of evidence. */
    int MAX_REPORT_BYTES = 16 * 1024;
    /** Certificates of SEV-SNP take about 6 KB. */
    int MAX_AUXILIARY_BYTES = 8 * 1024;

    /** Names the format of the reports, in the kernel's words: {@code tdx_guest}, {@code sev_guest}. */
    String provider();

    /**
     * A report that carries {@code reportData} (64 bytes).
     *
     * @throws TeeException {@code TEE-UNAVAILABLE} where the kernel or another writer does not let us have one, {@code
     *     TEE-RESPONSE} where its files are not what they should be
     */
    Report report(Binary reportData) throws TeeException;

    /**
     * What came back.
     *
     * @param report the guard's own structure, at most {@value #MAX_REPORT_BYTES} bytes
     * @param auxiliary what else the host brought, such as certificates, at most {@value #MAX_AUXILIARY_BYTES} bytes; empty
     *     where there is nothing, or more
     */
    record Report(String provider, Binary report, Binary auxiliary) {}

    @Override
    void close();
}
