package dev.holdfast.tee;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * Reports of TDX, SEV-SNP and their kin through the kernel's configfs (Documentation/ABI/testing/configfs-tsm, from 6.7
 * on): a directory is made, 64 bytes are written to {@code inblob}, and the report is read from {@code outblob}. The
 * kernel counts every write in {@code generation}; when the number has moved by more than our own write, other software
 * wrote between, and the report may carry another's data: it is thrown away and asked for again. A call that exceeds its
 * deadline fails. Thread-safe.
 */
public final class ConfigfsTsm implements VmReporter {
    /** Where the kernel has it. */
    public static final Path DEFAULT_ROOT = Path.of("/sys/kernel/config/tsm/report");

    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static final Duration PAUSE = Duration.ofMillis(20);
    private static final int MAX_TRIES = 5;
    /** A line; longer ones do not match what is expected of them. */
    private static final int MAX_TEXT_BYTES = MAX_PROVIDER_CHARS + 1;

    private final TeeThread thread;
    private final Path entry;
    private final String provider;

    private ConfigfsTsm(Path entry, Duration deadline) throws TeeException {
        this.entry = entry;
        this.thread = new TeeThread(deadline);
        try {
            this.provider = thread.call(() -> {
                makeEntry();
                return readProvider();
            });
        } catch (TeeException | RuntimeException e) {
            close();
            throw e;
        }
    }

    /** Makes the entry {@code root/holdfast}, or takes over what a crash left of it. */
    public static ConfigfsTsm open(Path root) throws TeeException {
        return open(root, DEADLINE);
    }

    static ConfigfsTsm open(Path root, Duration deadline) throws TeeException {
        return new ConfigfsTsm(root.resolve("holdfast"), deadline);
    }

    @Override
    public String provider() {
        return provider;
    }

    @Override
    public Report report(Binary reportData) throws TeeException {
        if (reportData.length() != REPORT_DATA_BYTES) {
            throw new IllegalArgumentException(reportData.length() + " bytes of report data");
        }
        return thread.call(() -> {
            String why = "";
            for (int attempt = 1; attempt <= MAX_TRIES; attempt++) {
                try {
                    long before = generation();
                    Files.write(entry.resolve("inblob"), reportData.toArray(), StandardOpenOption.WRITE);
                    Report report = new Report(readProvider(), blob(), auxiliary());
                    if (generation() == before + 1) {
                        return checked(report);
                    }
                    why = "another writer was faster";
                } catch (NoSuchFileException e) {
                    throw new TeeException(Code.TEE_UNAVAILABLE, "no " + e.getFile(), e);
                } catch (IOException e) { // EBUSY and EWOULDBLOCK among them: another writer, or the guard is busy.
                    why = String.valueOf(e.getMessage());
                }
                LockSupport.parkNanos(PAUSE.toNanos());
            }
            throw new TeeException(Code.TEE_UNAVAILABLE, "no report in " + MAX_TRIES + " tries: " + why);
        });
    }

    private Report checked(Report report) throws TeeException {
        if (!report.provider().equals(provider) || report.report().length() == 0) {
            throw new TeeException(Code.TEE_RESPONSE, "an empty report, or one of another provider");
        }
        return report;
    }

    private void makeEntry() throws TeeException {
        try {
            Files.createDirectory(entry);
        } catch (FileAlreadyExistsException e) {
            // Left by a crash: the kernel keeps it, and the generation tells whether other software uses it.
        } catch (IOException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "no entry " + entry, e);
        }
    }

    private String readProvider() throws TeeException {
        String name = text("provider");
        if (!name.matches("[a-z0-9_]{1," + MAX_PROVIDER_CHARS + "}")) {
            throw new TeeException(Code.TEE_RESPONSE, "the provider's name is " + name.length() + " odd characters");
        }
        return name;
    }

    private long generation() throws TeeException {
        String number = text("generation");
        if (!number.matches("[0-9]{1,18}")) {
            throw new TeeException(Code.TEE_RESPONSE, "generation is no number");
        }
        return Long.parseLong(number);
    }

    private String text(String name) throws TeeException {
        try {
            return new String(atMost(name, MAX_TEXT_BYTES + 1), StandardCharsets.US_ASCII).strip();
        } catch (IOException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "cannot read " + entry.resolve(name), e);
        }
    }

    private Binary blob() throws IOException, TeeException {
        byte[] bytes = atMost("outblob", MAX_REPORT_BYTES + 1);
        if (bytes.length > MAX_REPORT_BYTES) {
            throw new TeeException(Code.TEE_RESPONSE, "a report of more than " + MAX_REPORT_BYTES + " bytes");
        }
        return Binary.copyOf(bytes);
    }

    /** The kernel shows the file only where the provider has such data. Certificates can be had elsewhere, too. */
    private Binary auxiliary() throws IOException {
        try {
            byte[] bytes = atMost("auxblob", MAX_AUXILIARY_BYTES + 1);
            return bytes.length > MAX_AUXILIARY_BYTES ? Binary.empty() : Binary.copyOf(bytes);
        } catch (NoSuchFileException e) {
            return Binary.empty();
        }
    }

    private byte[] atMost(String name, int bytes) throws IOException {
        try (InputStream in = Files.newInputStream(entry.resolve(name))) {
            return in.readNBytes(bytes);
        }
    }

    @Override
    public void close() {
        thread.close(() -> {
            try {
                Files.deleteIfExists(entry); // rmdir is all that configfs takes, and enough.
            } catch (DirectoryNotEmptyException e) {
                // Not the kernel's: whoever put files there removes them.
            } catch (IOException e) {
                // Another process uses it still; it costs a few bytes of kernel memory.
            }
        });
    }
}
