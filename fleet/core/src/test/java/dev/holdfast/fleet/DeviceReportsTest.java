package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class DeviceReportsTest {
    private static final byte[] REPORT = "{\"state\":\"idle\"}".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] ONLINE = {'1'};
    private static final byte[] OFFLINE = {'0'};

    @TempDir
    Path dir;

    private final AtomicLong nanos = new AtomicLong();
    private FleetDirectory directory = new FleetDirectory(Path.of(""));
    private DeviceReports reports;

    @BeforeEach
    void start() throws Exception {
        directory = new FleetDirectory(dir);
        Files.createDirectories(directory.devices());
        Files.createDirectories(directory.reports());
        enrol("device-1");
        reports = DeviceReports.start(directory, Clock.systemUTC(), nanos::get, DeviceWatch.NONE);
    }

    @AfterEach
    void close() {
        reports.close();
    }

    private void enrol(String device) throws Exception {
        Files.writeString(directory.device(device), "{}");
    }

    private long files() throws Exception {
        try (var list = Files.list(directory.reports())) {
            return list.count();
        }
    }

    @Test
    void theLastReportOfAnEnrolledDeviceIsKept() throws Exception {
        reports.reported("device-1", "{\"state\":\"busy\"}".getBytes(StandardCharsets.US_ASCII));
        reports.reported("device-1", REPORT);
        reports.presence("device-1", ONLINE);
        reports.presence("device-1", OFFLINE);
        reports.close();
        assertThat(directory.report("device-1")).hasBinaryContent(REPORT);
        assertThat(directory.online("device-1")).hasContent("0");
    }

    @Test
    void madeUpNamesTakeNoPlaceOfADevice() throws Exception {
        for (int i = 0; i < 12_000; i++) {
            reports.presence("ghost-" + i, ONLINE);
            reports.reported("ghost-" + i, REPORT);
        }
        assertThat(reports.strangers()).isEqualTo(DeviceReports.MAX_STRANGERS);
        reports.presence("device-1", ONLINE);
        reports.reported("device-1", REPORT);
        enrol("device-2");
        reports.enrolled("device-2");
        reports.reported("device-2", REPORT);
        reports.close();
        assertThat(directory.report("device-1")).hasBinaryContent(REPORT);
        assertThat(directory.report("device-2")).hasBinaryContent(REPORT);
        assertThat(directory.online("device-2")).hasContent("1");
        assertThat(files()).as("made-up names have no files").isEqualTo(4);
    }

    @Test
    void whatADeviceSaidBeforeItEnrolledCountsThen() throws Exception {
        reports.reported("device-2", REPORT);
        enrol("device-2");
        reports.enrolled("device-2");
        reports.close();
        assertThat(directory.report("device-2")).hasBinaryContent(REPORT);
        assertThat(directory.online("device-2")).hasContent("1");
    }

    @Test
    void namesThatNeverEnrolAreForgottenAfterAnHour() {
        for (int i = 0; i < 100; i++) {
            reports.presence("ghost-" + i, ONLINE);
        }
        nanos.addAndGet(Duration.ofMinutes(61).toNanos());
        reports.presence("ghost-new", ONLINE);
        assertThat(reports.strangers()).isEqualTo(1);
    }

    @Test
    void longReportsOfMadeUpNamesAreBoundedByTheirLength() {
        byte[] longest = new byte[DeviceReports.MAX_REPORT_BYTES];
        for (int i = 0; i < 1000; i++) {
            reports.reported("ghost-" + i, longest);
        }
        assertThat(reports.strangers())
                .isEqualTo((int) (DeviceReports.MAX_STRANGER_BYTES / DeviceReports.MAX_REPORT_BYTES));
        reports.reported("ghost-x", new byte[DeviceReports.MAX_REPORT_BYTES + 1]);
        assertThat(reports.strangers()).isEqualTo(64);
    }

    @Test
    void whatIsNoReportReplacesNone() throws Exception {
        reports.reported("device-1", REPORT);
        reports.close();
        try (DeviceReports again = DeviceReports.start(directory, Clock.systemUTC(), DeviceWatch.NONE)) {
            again.reported("device-1", new byte[] {'{'});
            again.presence("device-1", new byte[] {'7'});
        }
        assertThat(directory.report("device-1")).hasBinaryContent(REPORT);
        assertThat(directory.online("device-1")).doesNotExist();
    }

    /** They were written by versions that did not tell devices from made-up names. */
    @Test
    void filesOfNamesThatAreNotEnrolledAreRemovedAtTheStart() throws Exception {
        reports.close();
        Files.write(directory.report("ghost"), REPORT);
        Files.write(directory.online("ghost"), ONLINE);
        Files.write(directory.online("device-1"), ONLINE);
        DeviceReports.start(directory, Clock.systemUTC(), DeviceWatch.NONE).close();
        assertThat(files()).isEqualTo(1);
    }
}
