package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.VmReporter;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.tee.tpm.ByteChanges;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reports on confidential virtual machines in evidence. The reports are built here, by the layouts that VmReport names. */
class VmReportTest {
    @TempDir
    Path temp;

    private SoftwareBridge bridge;
    private EventLog log;
    private EnrolledDevice device;

    @BeforeEach
    void open() throws Exception {
        bridge = SoftwareBridge.open(temp.resolve("tee"));
        log = EventLog.open(temp.resolve("log"), bridge.register().orElseThrow());
        log.ensureServing(List.of(Models.V1));
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
        EnrolmentAuthority.Attempt attempt = Models.accepted(Models.begin(mine.request()));
        device = Models.accepted(attempt.complete(Models.accepted(mine.prove(attempt.challenge()))));
    }

    @AfterEach
    void close() throws Exception {
        log.close();
        bridge.close();
    }

    private static byte[] tdx(byte[] data, int version, boolean debug) {
        int body = version == 5 ? 54 : 48;
        ByteBuffer quote = ByteBuffer.allocate(body + 584 + 64).order(ByteOrder.LITTLE_ENDIAN);
        quote.putShort(0, (short) version).putInt(4, 0x81);
        if (version == 5) {
            quote.putShort(48, (short) 2).putInt(50, 584);
        }
        quote.put(body + 120, (byte) (debug ? 1 : 0))
                .put(body + 136, new byte[] {7})
                .put(body + 520, data);
        return quote.array();
    }

    private static byte[] snp(byte[] data, boolean debug) {
        ByteBuffer report = ByteBuffer.allocate(1184).order(ByteOrder.LITTLE_ENDIAN);
        report.putInt(0, 2).putLong(8, debug ? 1L << 19 : 0x30000).putInt(52, 1);
        return report.put(80, data).put(144, new byte[] {9}).array();
    }

    /** A machine whose guard does what {@code guard} says. */
    private static VmReporter machine(String provider, UnaryOperator<byte[]> guard) {
        return new VmReporter() {
            @Override
            public String provider() {
                return provider;
            }

            @Override
            public Report report(Binary reportData) {
                return new Report(provider, Binary.copyOf(guard.apply(reportData.toArray())), Binary.empty());
            }

            @Override
            public void close() {}
        };
    }

    private Appraisal appraise(VmReporter machine, Assurance asked) throws Exception {
        byte[] evidence = new Attester(
                        bridge,
                        log,
                        new Attester.Surroundings(
                                "holdfast",
                                "0.1.0",
                                Map::of,
                                Models.as(log),
                                TreeMap::new,
                                PlatformLogs.none(),
                                Optional.of(machine)))
                .attest(Models.NONCE);
        return EvidenceVerifier.verify(
                evidence, Models.question(), device, Models.PUBLISHED, AppraisalPolicy.atLeast(asked));
    }

    private void assertRefused(VmReporter machine, String reason) throws Exception {
        Appraisal appraisal = appraise(machine, Assurance.SOFTWARE);
        assertThat(appraisal.status()).isEqualTo(Appraisal.Status.CONTRAINDICATED);
        assertThat(appraisal.firstFailure().orElseThrow().code()).contains(Code.ATT_PLATFORM);
        assertThat(appraisal.firstFailure().orElseThrow().detail()).contains(reason);
    }

    @Test
    void changedReportsEndInAVerdict() {
        Random random = new Random(5);
        int read = 0;
        int refused = 0;
        for (int i = 0; i < 20_000; i++) {
            boolean intel = i % 2 == 0;
            byte[] good = intel ? tdx(new byte[64], 4 + i / 2 % 2, false) : snp(new byte[64], false);
            Binary bad = Binary.copyOf(ByteChanges.change(good, random));
            String provider = intel ? VmReport.TDX : VmReport.SEV_SNP;
            switch (VmReport.parse(new VmEvidence(provider, bad, Binary.empty()))) {
                case Verdict.Accepted<VmReport> accepted -> read++;
                case Verdict.Rejected<VmReport>(Rejection reason) -> {
                    assertThat(reason.code()).isEqualTo(Code.ATT_FORMAT);
                    refused++;
                }
            }
        }
        assertThat(read).isGreaterThan(1000);
        assertThat(refused).isGreaterThan(1000);
    }

    @Test
    void aReportThatCarriesNonceAndClaimsIsAccepted() throws Exception {
        for (VmReporter machine : new VmReporter[] {
            machine("tdx_guest", data -> tdx(data, 4, false)),
            machine("tdx_guest", data -> tdx(data, 5, false)),
            machine("sev_guest", data -> snp(data, false))
        }) {
            Appraisal appraisal = appraise(machine, Assurance.SOFTWARE);
            assertThat(appraisal.isAffirming()).as(appraisal.toString()).isTrue();
            assertThat(appraisal.claims().orElseThrow().platform()).containsEntry("vm-report", machine.provider());
        }
    }

    /** Anybody can make such bytes: without a checked chain to the maker's root they grant nothing. */
    @Test
    void aReportNeverRaisesTheAssurance() throws Exception {
        Appraisal appraisal = appraise(machine("sev_guest", data -> snp(data, false)), Assurance.EMULATED);
        assertThat(appraisal.status()).isEqualTo(Appraisal.Status.CONTRAINDICATED);
        assertThat(appraisal.firstFailure().orElseThrow().code()).contains(Code.ATT_ASSURANCE);
        assertThat(appraisal.claims().orElseThrow().assurance()).isEqualTo(Assurance.SOFTWARE);
    }

    @Test
    void aReportThatDoesNotFitIsRefused() throws Exception {
        assertRefused(machine("tdx_guest", data -> tdx(new byte[64], 4, false)), "nonce and claims");
        assertRefused(machine("sev_guest", data -> snp(new byte[64], false)), "nonce and claims");
        assertRefused(machine("tdx_guest", data -> tdx(data, 4, true)), "debug");
        assertRefused(machine("sev_guest", data -> snp(data, true)), "debug");
        assertRefused(machine("tdx_guest", data -> snp(data, false)), "no TDX quote");
        assertRefused(machine("sev_guest", data -> tdx(data, 4, false)), "1184");
        assertRefused(machine("tdx_guest", data -> tdx(data, 3, false)), "version");
        assertRefused(machine("tdx_guest", data -> new byte[100]), "ends after");
        assertRefused(machine("arm_cca_guest", data -> data), "not known here");
    }

    @Test
    void anotherEvidencesReportIsRefused() throws Exception {
        byte[][] first = new byte[1][];
        appraise(machine("sev_guest", data -> first[0] = snp(data, false)), Assurance.SOFTWARE);
        log.ensureServing(List.of(Models.V2));
        assertRefused(machine("sev_guest", data -> first[0]), "nonce and claims");
    }

    @Test
    void aReportThatCannotBeHadIsToldAndWarnedOf() throws Exception {
        VmReporter silent = new VmReporter() {
            @Override
            public String provider() {
                return "tdx_guest";
            }

            @Override
            public Report report(Binary reportData) throws TeeException {
                throw new TeeException(Code.TEE_UNAVAILABLE, "busy");
            }

            @Override
            public void close() {}
        };
        Appraisal appraisal = appraise(silent, Assurance.SOFTWARE);
        assertThat(appraisal.status()).isEqualTo(Appraisal.Status.WARNING);
        assertThat(appraisal.firstFailure().orElseThrow().code()).contains(Code.ATT_PLATFORM);
    }

    @Test
    void neverThrowsOnMutatedReports() {
        Random random = new Random(5);
        byte[][] seeds = {tdx(new byte[64], 4, false), tdx(new byte[64], 5, false), snp(new byte[64], false)};
        String[] providers = {"tdx_guest", "tdx_guest", "sev_guest"};
        int refused = 0;
        for (int round = 0; round < 30_000; round++) {
            byte[] bytes = seeds[round % 3].clone();
            for (int i = random.nextInt(4); i >= 0; i--) {
                bytes[random.nextInt(round % 2 == 0 ? 56 : bytes.length)] = (byte) random.nextInt();
            }
            int length = random.nextInt(4) == 0 ? 1 + random.nextInt(bytes.length) : bytes.length;
            var evidence = new VmEvidence(providers[round % 3], Binary.copyOf(bytes, 0, length), Binary.empty());
            refused += VmReport.parse(evidence) instanceof Verdict.Rejected<VmReport> ? 1 : 0;
        }
        assertThat(refused).isBetween(1, 29_999);
    }
}
