package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.QuietLog;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The logs that firmware and kernel keep of what they measured, in securityfs. What is there decides which PCRs are quoted:
 * 0 to 7 and 11 with the boot log, 10 with the list of measured files. A log that is longer than its bound stays behind;
 * its registers are quoted all the same. Thread-safe.
 */
public final class PlatformLogs {
    /** Logs of common firmware take 20 to 60 KB; what evidence carries beside the events has 256 KiB in all. */
    static final int MAX_BOOT_BYTES = 64 * 1024;

    static final int MAX_IMA_BYTES = 32 * 1024;

    private static final Logger LOG = LoggerFactory.getLogger(PlatformLogs.class);
    private static final Set<Integer> BOOT_REGISTERS = Set.of(0, 1, 2, 3, 4, 5, 6, 7, 11);
    private static final Set<Integer> IMA_REGISTERS = Set.of(10);

    private final QuietLog log = new QuietLog(LOG, 1);
    private final Optional<Path> boot;
    private final Optional<Path> ima;

    private PlatformLogs(Optional<Path> boot, Optional<Path> ima) {
        this.boot = boot;
        this.ima = ima;
    }

    /** None: the TEE is not the machine's own, so the machine's logs say nothing about it. */
    public static PlatformLogs none() {
        return new PlatformLogs(Optional.empty(), Optional.empty());
    }

    /** The logs below {@code securityfs}, on a device {@code /sys/kernel/security}. */
    public static PlatformLogs in(Path securityfs) {
        return new PlatformLogs(
                Optional.of(securityfs.resolve("tpm0/binary_bios_measurements")).filter(Files::isReadable),
                Optional.of(securityfs.resolve("ima/binary_runtime_measurements"))
                        .filter(Files::isReadable));
    }

    Set<Integer> registers() {
        Set<Integer> registers = new TreeSet<>();
        boot.ifPresent(file -> registers.addAll(BOOT_REGISTERS));
        ima.ifPresent(file -> registers.addAll(IMA_REGISTERS));
        return registers;
    }

    /** Read once for one evidence, after the quote: the list of measured files only grows. */
    Carried read() {
        Map<String, String> fate = new TreeMap<>();
        return new Carried(
                read("boot-log", boot, MAX_BOOT_BYTES, fate), read("ima-log", ima, MAX_IMA_BYTES, fate), fate);
    }

    /**
     * @param fate of each log: carried, absent or too-long
     */
    record Carried(Optional<Binary> boot, Optional<Binary> ima, Map<String, String> fate) {}

    private Optional<Binary> read(String name, Optional<Path> file, int maxBytes, Map<String, String> fate) {
        byte[] bytes = new byte[0];
        if (file.isPresent()) {
            // Files of securityfs have no size: read one byte more than the bound to see whether there is one.
            try (InputStream in = Files.newInputStream(file.get())) {
                bytes = in.readNBytes(maxBytes + 1);
            } catch (IOException e) {
                log.warn("{}: {}", file.get(), e.toString());
            }
        }
        fate.put(name, bytes.length == 0 ? "absent" : bytes.length > maxBytes ? "too-long" : "carried");
        return bytes.length == 0 || bytes.length > maxBytes ? Optional.empty() : Optional.of(Binary.copyOf(bytes));
    }
}
