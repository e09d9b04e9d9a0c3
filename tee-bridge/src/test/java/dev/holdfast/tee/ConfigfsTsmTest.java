package dev.holdfast.tee;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a directory in which a thread plays the kernel. */
class ConfigfsTsmTest {
    private static final Binary DATA = Binary.copyOf(
            "report data ".repeat(6).substring(0, VmReporter.REPORT_DATA_BYTES).getBytes(StandardCharsets.US_ASCII));

    @TempDir
    Path root;

    private static byte[] signed(byte[] data) {
        byte[] report = new byte[data.length + 1];
        System.arraycopy(data, 0, report, 1, data.length);
        return report;
    }

    private static void assertFails(Code code, Callable<?> what) {
        assertThatThrownBy(what::call)
                .isInstanceOfSatisfying(
                        TeeException.class,
                        e -> assertThat(e.code()).as(e.getMessage()).isEqualTo(code));
    }

    @Test
    void bringsTheReportThatCarriesTheData() throws Exception {
        try (FakeTsm kernel = FakeTsm.start(root, "tdx_guest", "certificates", ConfigfsTsmTest::signed);
                ConfigfsTsm tsm = ConfigfsTsm.open(root)) {
            assertThat(tsm.provider()).isEqualTo("tdx_guest");
            for (int i = 1; i <= 3; i++) {
                VmReporter.Report report = tsm.report(DATA);
                assertThat(report.provider()).isEqualTo("tdx_guest");
                assertThat(report.report()).isEqualTo(Binary.copyOf(signed(DATA.toArray())));
                assertThat(report.auxiliary().length()).isEqualTo("certificates".length());
                assertThat(kernel.requests).hasValue(i);
            }
        }
    }

    @Test
    void auxiliaryDataMayBeAbsentOrTooLong() throws Exception {
        try (FakeTsm kernel = FakeTsm.start(root, "sev_guest", null, ConfigfsTsmTest::signed);
                ConfigfsTsm tsm = ConfigfsTsm.open(root)) {
            assertThat(tsm.report(DATA).auxiliary()).isEqualTo(Binary.empty());
            Files.write(root.resolve("holdfast/auxblob"), new byte[VmReporter.MAX_AUXILIARY_BYTES + 1]);
            assertThat(tsm.report(DATA).auxiliary()).isEqualTo(Binary.empty());
            Files.write(root.resolve("holdfast/auxblob"), new byte[VmReporter.MAX_AUXILIARY_BYTES]);
            assertThat(tsm.report(DATA).auxiliary().length()).isEqualTo(VmReporter.MAX_AUXILIARY_BYTES);
            assertThat(kernel.requests).hasValue(3);
        }
    }

    @Test
    void aReportDuringWhichAnotherWroteIsThrownAway() throws Exception {
        try (FakeTsm kernel = FakeTsm.start(root, "tdx_guest", null, ConfigfsTsmTest::signed);
                ConfigfsTsm tsm = ConfigfsTsm.open(root)) {
            kernel.intruders.set(2);
            assertThat(tsm.report(DATA).report()).isEqualTo(Binary.copyOf(signed(DATA.toArray())));
            assertThat(kernel.requests).hasValue(3);
            kernel.intruders.set(1000);
            assertFails(Code.TEE_UNAVAILABLE, () -> tsm.report(DATA));
        }
    }

    @Test
    void aReportWithoutEndOrWithoutContentIsRefused() throws Exception {
        byte[][] next = {new byte[VmReporter.MAX_REPORT_BYTES + 1], new byte[0]};
        int[] at = {0};
        try (FakeTsm kernel = FakeTsm.start(root, "tdx_guest", null, data -> next[at[0]]);
                ConfigfsTsm tsm = ConfigfsTsm.open(root)) {
            assertFails(Code.TEE_RESPONSE, () -> tsm.report(DATA));
            at[0] = 1;
            assertFails(Code.TEE_RESPONSE, () -> tsm.report(DATA));
            assertThat(kernel.requests).hasValue(2);
        }
    }

    @Test
    void aGuardThatStallsCostsNoMoreThanTheDeadline() throws Exception {
        Files.createDirectory(root.resolve("holdfast"));
        Files.writeString(root.resolve("holdfast/provider"), "tdx_guest\n");
        Files.writeString(root.resolve("holdfast/generation"), "7\n");
        assertThat(new ProcessBuilder("mkfifo", root.resolve("holdfast/inblob").toString())
                        .start()
                        .waitFor())
                .isZero();
        ConfigfsTsm tsm = ConfigfsTsm.open(root, Duration.ofMillis(300));
        assertFails(Code.TEE_UNAVAILABLE, () -> tsm.report(DATA)); // Nobody ever reads the pipe.
        tsm.close();
    }

    @Test
    void filesThatAreNotTheKernelsAreRefused() throws Exception {
        Path entry = Files.createDirectory(root.resolve("holdfast"));
        Files.writeString(entry.resolve("provider"), "x".repeat(1000));
        assertFails(Code.TEE_RESPONSE, () -> ConfigfsTsm.open(root));
        Files.writeString(entry.resolve("provider"), "tdx_guest\n");
        try (ConfigfsTsm tsm = ConfigfsTsm.open(root)) {
            assertFails(Code.TEE_UNAVAILABLE, () -> tsm.report(DATA));
            for (String generation : new String[] {"", "-1", "seven", "9".repeat(30)}) {
                Files.writeString(entry.resolve("generation"), generation);
                assertFails(Code.TEE_RESPONSE, () -> tsm.report(DATA));
            }
            Files.writeString(entry.resolve("generation"), "1\n");
            assertFails(Code.TEE_UNAVAILABLE, () -> tsm.report(DATA)); // No inblob.
            Files.writeString(entry.resolve("inblob"), "");
            Files.createDirectory(entry.resolve("outblob")); // Reading it is an error, as where the guard refused.
            assertFails(Code.TEE_UNAVAILABLE, () -> tsm.report(DATA));
            assertThatThrownBy(() -> tsm.report(Binary.copyOf(new byte[63])))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void aMachineWithoutSuchFilesIsTold() throws Exception {
        assertFails(Code.TEE_UNAVAILABLE, () -> ConfigfsTsm.open(root.resolve("absent")));
    }

    @Test
    void takesItsEntryAwayAtTheEnd() throws Exception {
        assertFails(Code.TEE_UNAVAILABLE, () -> ConfigfsTsm.open(root)); // Made, but no kernel filled it.
        assertThat(root.resolve("holdfast")).doesNotExist();
    }
}
