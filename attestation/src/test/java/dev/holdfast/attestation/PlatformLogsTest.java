package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.tee.tpm.TpmAddress;
import dev.holdfast.tee.tpm.TpmTools;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The machine's own logs, from a fake securityfs, with a real TPM's registers behind them. */
class PlatformLogsTest {
    /** A name with a line feed is in it, which every local user can have measured. */
    private static ImaListWriter ima() {
        return new ImaListWriter()
                .file("/usr/bin/holdfast", Models.hash("agent"))
                .file("/tmp/a\n10 b", Models.hash("odd"))
                .file("/usr/lib/jvm/lib/libjvm.so", Models.hash("jvm"));
    }

    @TempDir
    Path temp;

    private static Binary bootLog() {
        BootLogWriter log = new BootLogWriter();
        for (int pcr = 0; pcr <= 7; pcr++) {
            log.separator(pcr);
        }
        return log.event(4, BootLogWriter.EV_IPL, Models.hash("boot loader").toArray(), new byte[] {1, 2, 3})
                .log();
    }

    private Path securityfs(Binary boot, Binary ima) throws Exception {
        Path root = temp.resolve("securityfs");
        Files.createDirectories(root.resolve("tpm0"));
        Files.createDirectories(root.resolve("ima"));
        Files.write(root.resolve("tpm0/binary_bios_measurements"), boot.toArray());
        Files.write(root.resolve("ima/binary_runtime_measurements"), ima.toArray());
        return root;
    }

    /** What the kernel would have extended for a file. */
    private static Sha256 imaDigest(Sha256 file, String path) {
        return Sha256.of(ImaListWriter.framed(ImaListWriter.ng(file), ImaListWriter.path(path)));
    }

    private void extend(Swtpm swtpm, int pcr, Sha256 digest) throws Exception {
        Swtpm.require("tpm2_pcrextend");
        String tcti = "swtpm:path=" + ((TpmAddress.Unix) swtpm.address()).path();
        assertThat(Swtpm.run(temp.resolve("extend.log"), "tpm2_pcrextend", "-T", tcti, pcr + ":sha256=" + digest))
                .isZero();
    }

    private record Device(EnrolledDevice record, byte[] evidence) {}

    private Device attest(Swtpm swtpm, PlatformLogs logs) throws Exception {
        try (Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address());
                EventLog log =
                        EventLog.open(temp.resolve("log"), bridge.register().orElseThrow())) {
            log.ensureServing(List.of(Models.V1));
            Attester attester = new Attester(
                    bridge,
                    log,
                    new Attester.Surroundings("holdfast", "0.1.0", Map::of, Models.as(log), TreeMap::new, logs));
            return new Device(EvidenceContract.enrol(bridge), attester.attest(Models.NONCE));
        }
    }

    private static Appraisal appraise(Device device, String more) {
        AppraisalPolicy policy = Models.accepted(AppraisalPolicy.parse(
                ("{\"format\":1, \"minAssurance\":\"emulated\"" + more + "}").getBytes(StandardCharsets.UTF_8)));
        return EvidenceVerifier.verify(device.evidence(), Models.question(), device.record(), Models.PUBLISHED, policy);
    }

    @Test
    void bootAndFilesAreQuotedCarriedAndReplayed() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp)) {
            for (int pcr = 0; pcr <= 7; pcr++) {
                extend(swtpm, pcr, Sha256.of(new byte[4]));
            }
            extend(swtpm, 4, Models.hash("boot loader"));
            extend(swtpm, 10, imaDigest(Models.hash("agent"), "/usr/bin/holdfast"));
            extend(swtpm, 10, imaDigest(Models.hash("odd"), "/tmp/a\n10 b"));
            extend(swtpm, 10, imaDigest(Models.hash("jvm"), "/usr/lib/jvm/lib/libjvm.so"));
            Path root = securityfs(
                    bootLog(),
                    ima().file("/after/the/quote", Models.hash("later")).list());
            Device device = attest(swtpm, PlatformLogs.in(root));
            TpmEvidence tpm =
                    Models.accepted(EvidenceVerifier.open(device.evidence())).tpm();
            assertThat(tpm.registers()).containsOnlyKeys(0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 14);
            String whole = ", \"requireBootLog\":true, \"requireImaLog\":true, \"registers\":{\"4\":[\""
                    + Objects.requireNonNull(tpm.registers().get(4)).hex() + "\"]}";
            Appraisal good = appraise(device, whole);
            assertThat(good.status()).as(good.checks().toString()).isEqualTo(Status.AFFIRMING);
            assertThat(good.claims().orElseThrow().platform())
                    .containsEntry("boot-log", "carried")
                    .containsEntry("ima-log", "carried");
            checkquote(device);

            // Somebody loads a program that the list does not name: the kernel extends, the list is edited.
            extend(swtpm, 10, imaDigest(Models.hash("rootkit"), "/tmp/rootkit"));
            Appraisal hidden = appraise(attest(swtpm, PlatformLogs.in(root)), "");
            assertThat(hidden.status()).isEqualTo(Status.CONTRAINDICATED);
            assertThat(hidden.firstFailure().orElseThrow().code()).contains(Code.ATT_PLATFORM);
        }
    }

    private void checkquote(Device device) throws Exception {
        Path out = temp.resolve("out");
        Models.accepted(
                TpmQuoteFiles.write(out, device.evidence(), device.record().attestationKey()));
        assertThat(Files.readString(out.resolve("pcrs.txt")).strip()).isEqualTo("sha256:0,1,2,3,4,5,6,7,10,11,14");
        assertThat(TpmTools.checkquote(
                        temp.resolve("checkquote.log"),
                        out,
                        Files.readString(out.resolve("qualifying.hex")).strip()))
                .isZero();
    }

    @Test
    void aBootLogOfAnotherMachineIsRefused() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp)) {
            Appraisal appraisal = appraise(attest(swtpm, PlatformLogs.in(securityfs(bootLog(), ima().list()))), "");
            assertThat(appraisal.status()).isEqualTo(Status.CONTRAINDICATED);
            assertThat(appraisal.firstFailure().orElseThrow().code()).contains(Code.ATT_PLATFORM);
        }
    }

    @Test
    void aLogThatIsTooLongStaysBehindAndItsRegistersAreQuoted() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp)) {
            Path root = securityfs(
                    Binary.copyOf(new byte[PlatformLogs.MAX_BOOT_BYTES + 1]),
                    Binary.copyOf(new byte[PlatformLogs.MAX_IMA_BYTES + 1]));
            Device device = attest(swtpm, PlatformLogs.in(root));
            Appraisal appraisal = appraise(device, "");
            assertThat(appraisal.status()).isEqualTo(Status.AFFIRMING);
            assertThat(appraisal.claims().orElseThrow().platform()).containsEntry("boot-log", "too-long");
            assertThat(Models.accepted(EvidenceVerifier.open(device.evidence()))
                            .tpm()
                            .registers())
                    .containsKeys(0, 10);
            assertThat(appraise(device, ", \"requireBootLog\":true").status()).isEqualTo(Status.CONTRAINDICATED);
        }
    }

    /** An independent reader computes the same registers from the same log. */
    @Test
    void tpm2EventlogReplaysOurLogsAlike() throws Exception {
        Swtpm.require("tpm2_eventlog");
        Path file = temp.resolve("boot.log");
        Files.write(file, bootLog().toArray());
        Path out = temp.resolve("eventlog.yaml");
        assertThat(Swtpm.run(out, "tpm2_eventlog", file.toString())).isZero();
        String printed = Files.readString(out);
        printed = printed.substring(printed.lastIndexOf("sha256:"));
        SortedMap<Integer, Sha256> replayed = Models.accepted(BootLog.replay(bootLog()));
        assertThat(replayed).hasSize(8);
        for (Sha256 value : replayed.values()) {
            assertThat(printed).contains(value.hex());
        }
    }

    @Test
    void startsFromTheLocalityThatTheLogNames() {
        byte[] locality = "StartupLocality\0\3".getBytes(StandardCharsets.US_ASCII);
        Binary log = new BootLogWriter()
                .event(0, BootLogWriter.EV_NO_ACTION, new byte[32], locality)
                .separator(0)
                .log();
        byte[] start = new byte[32];
        start[31] = 3;
        assertThat(Models.accepted(BootLog.replay(log)).get(0))
                .isEqualTo(Sha256.of(start, Sha256.of(new byte[4]).toArray()));
    }

    @Test
    void aViolationInTheListIsExtendedAsOnes() {
        byte[] ones = new byte[32];
        Arrays.fill(ones, (byte) 0xff);
        String line = "10 " + "0".repeat(40) + " ima-ng sha256:" + "0".repeat(64) + " /var/log/x\n";
        Binary register = Sha256.of(new byte[32], ones).value();
        assertThat(Models.accepted(ImaLog.prefix(Binary.copyOf(line.getBytes(StandardCharsets.US_ASCII)), register)))
                .isEqualTo(1);
    }

    @Test
    void mutatedLogsNeverThrowAndNeverReplayAlike() {
        byte[] boot = bootLog().toArray();
        SortedMap<Integer, Sha256> good = Models.accepted(BootLog.replay(bootLog()));
        byte[] ima =
                BootLogWriter.ima("/usr/bin/holdfast", Models.hash("agent")).getBytes(StandardCharsets.US_ASCII);
        Random random = new Random(10);
        int read = 0;
        for (int i = 0; i < 30_000; i++) {
            byte[] odd = boot.clone();
            odd[random.nextInt(odd.length)] ^= (byte) (1 << random.nextInt(8));
            odd = Arrays.copyOf(odd, random.nextInt(8) == 0 ? random.nextInt(odd.length) : odd.length);
            if (BootLog.replay(Binary.copyOf(odd))
                    instanceof Verdict.Accepted<SortedMap<Integer, Sha256>>(SortedMap<Integer, Sha256> registers)) {
                read++;
                assertThat(registers.size()).isLessThanOrEqualTo(24);
            }
            byte[] list = ima.clone();
            list[random.nextInt(list.length)] ^= (byte) (1 << random.nextInt(7));
            assertThat(ImaLog.prefix(
                                    Binary.copyOf(list),
                                    Objects.requireNonNull(good.get(4)).value())
                            .isAccepted())
                    .isFalse();
        }
        assertThat(read).isPositive();
    }

    /** A header whose own length ends within it, at every length. */
    @Test
    void aHeaderThatEndsTooEarlyIsRefused() {
        byte[] whole = new BootLogWriter().log().toArray();
        for (int specBytes = 0; specBytes < whole.length - 32; specBytes++) {
            byte[] cut = Arrays.copyOf(whole, 32 + specBytes);
            cut[28] = (byte) specBytes;
            assertThat(BootLog.replay(Binary.copyOf(cut)).isAccepted())
                    .as(specBytes + " bytes")
                    .isEqualTo(specBytes >= 36);
        }
    }

    @Test
    void noneCarriesNothing() {
        assertThat(PlatformLogs.none().registers()).isEmpty();
        assertThat(PlatformLogs.in(temp.resolve("absent")).registers()).isEmpty();
        assertThat(PlatformLogs.none().read().fate()).containsEntry("boot-log", "absent");
    }
}
