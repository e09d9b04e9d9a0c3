package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.DeviceName;
import dev.holdfast.attestation.EnrolmentToken;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Who is let in, by what, and that nobody else is. The keys are real, of devices without a TPM. */
@Timeout(120)
class AdmissionTest {
    @TempDir
    Path dir;

    private Instant now = Instant.parse("2027-03-01T12:00:00Z");
    private FleetDirectory directory = new FleetDirectory(Path.of(""));
    private final Map<String, SoftwareBridge> bridges = new HashMap<>();

    @BeforeEach
    void init() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        new FleetRepository(directory, Clock.systemUTC())
                .init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
    }

    @AfterEach
    void close() {
        bridges.values().forEach(SoftwareBridge::close);
    }

    private Clock clock() {
        return Clock.fixed(now, ZoneOffset.UTC);
    }

    private EnrolmentService service(EnrolmentPolicy policy) throws Exception {
        return new EnrolmentService(
                directory, () -> policy, DeviceCertificates.open(directory, "test", clock()), clock());
    }

    private EnrolmentService service() throws Exception {
        return service(EnrolmentPolicy.DEFAULT.withSoftware());
    }

    private SoftwareBridge device(String keys) throws Exception {
        SoftwareBridge known = bridges.get(keys);
        SoftwareBridge bridge = known != null ? known : SoftwareBridge.open(dir.resolve("tee-" + keys));
        bridges.put(keys, bridge);
        return bridge;
    }

    private static void enrol(
            EnrolmentService service, SoftwareBridge bridge, String name, Optional<EnrolmentToken> token)
            throws Exception {
        DeviceEnrolment mine = new DeviceEnrolment(bridge, name);
        byte[] challenge = service.begin(name, Binary.copyOf(mine.request()));
        service.complete(name, Binary.copyOf(mine.prove(challenge, token).orThrow()));
    }

    private void enrol(SoftwareBridge bridge, String name, EnrolmentToken token) throws Exception {
        enrol(service(), bridge, name, Optional.of(token));
    }

    private void enrol(SoftwareBridge bridge, String name) throws Exception {
        enrol(service(), bridge, name, Optional.empty());
    }

    private static void assertCode(
            Code code, String words, org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        e -> assertThat(e.rejection().code()).isEqualTo(code))
                .hasMessageContaining(words);
    }

    private AcceptedKeys keys() {
        return new AcceptedKeys(directory, clock());
    }

    private EnrolmentTokens tokens() {
        return new EnrolmentTokens(directory, clock());
    }

    private List<PendingDevices.Pending> pending() throws Exception {
        return new PendingDevices(directory).list(now);
    }

    private void accept(SoftwareBridge bridge, String name) throws Exception {
        keys().decide(
                        new KeyLine(DeviceName.endorsement(bridge), Optional.of(name), Optional.empty(), false),
                        "accept");
    }

    // --- Waiting ---

    @Test
    void whoeverComesByHimselfWaitsAndGetsNeitherRecordNorCertificate() throws Exception {
        SoftwareBridge cam = device("cam");
        assertCode(Code.ATT_PENDING, "fleet devices accept cam-7", () -> enrol(cam, "cam-7"));
        assertThat(directory.enrolled()).isEmpty();
        try (Stream<Path> files = Files.list(directory.devices())) {
            assertThat(files).isEmpty();
        }
        assertThat(pending()).singleElement().satisfies(one -> {
            assertThat(one.device()).isEqualTo("cam-7");
            assertThat(one.endorsement()).isEqualTo(DeviceName.endorsement(cam));
            assertThat(one.grants()).isEqualTo(Assurance.SOFTWARE);
        });
        accept(cam, "cam-7");
        enrol(cam, "cam-7");
        assertThat(directory.enrolled()).containsExactly("cam-7");
        assertThat(pending()).isEmpty();
    }

    @Test
    void devicesWithoutATpmAreRefusedWhereNobodySwitchedThemOn() throws Exception {
        assertCode(
                Code.ATT_ENROL,
                "\"software\": true",
                () -> enrol(service(EnrolmentPolicy.DEFAULT), device("cam"), "cam-7", Optional.empty()));
        assertThat(pending()).isEmpty();
    }

    @Test
    void whereThePolicyRefusesNobodyWaits() throws Exception {
        EnrolmentPolicy policy = EnrolmentPolicy.DEFAULT.withSoftware();
        EnrolmentPolicy refusing = new EnrolmentPolicy(
                policy.allowed(), policy.roots(), policy.intermediates(), policy.revocations(), false, true);
        SoftwareBridge cam = device("cam");
        assertCode(Code.ATT_ENROL, "nobody vouches", () -> enrol(service(refusing), cam, "cam-7", Optional.empty()));
        assertThat(pending()).isEmpty();
        accept(cam, "cam-7");
        enrol(service(refusing), cam, "cam-7", Optional.empty());
        assertThat(directory.enrolled()).containsExactly("cam-7");
    }

    /** Neither of two keys that ask for one name takes it from the other: a person says which. */
    @Test
    void twoKeysWaitForOneNameBesideEachOther() throws Exception {
        SoftwareBridge mine = device("mine");
        SoftwareBridge theirs = device("theirs");
        for (SoftwareBridge one : List.of(theirs, mine, theirs)) {
            assertCode(Code.ATT_PENDING, "cam-7", () -> enrol(one, "cam-7"));
        }
        assertThat(pending()).hasSize(2).allMatch(one -> one.device().equals("cam-7"));
        accept(mine, "cam-7");
        assertCode(Code.ATT_ENROL, "kept for another key", () -> enrol(theirs, "cam-7"));
        enrol(mine, "cam-7");
        assertCode(Code.ATT_ENROL, "enrolled with other keys", () -> enrol(theirs, "cam-7"));
        assertThat(new DeviceRecords(directory).read("cam-7").endorsement()).isEqualTo(DeviceName.endorsement(mine));
    }

    @Test
    void aKeyThatAsksUnderManyNamesWaitsOnceAndIsRarelyWrittenDown() throws Exception {
        SoftwareBridge cam = device("cam");
        for (int i = 0; i < 20; i++) {
            String name = "cam-" + i;
            assertCode(Code.ATT_PENDING, name, () -> enrol(cam, name));
        }
        assertThat(pending()).singleElement().matches(one -> one.device().equals("cam-0"));
        now = now.plusSeconds(11);
        assertCode(Code.ATT_PENDING, "cam-20", () -> enrol(cam, "cam-20"));
        assertThat(pending()).singleElement().matches(one -> one.device().equals("cam-20"));
    }

    /** The service is started anew between request and proof, and between two questions of a device that waits. */
    @Test
    void aRestartInTheMiddleCostsAQuestionAndNothingElse() throws Exception {
        SoftwareBridge cam = device("cam");
        DeviceEnrolment mine = new DeviceEnrolment(cam, "cam-7");
        byte[] challenge = service().begin("cam-7", Binary.copyOf(mine.request()));
        Binary proof = Binary.copyOf(mine.prove(challenge).orThrow());
        assertCode(
                Code.ATT_ENROL,
                "no enrolment of this device is open",
                () -> service().complete("cam-7", proof));
        assertCode(Code.ATT_PENDING, "cam-7", () -> enrol(cam, "cam-7"));
        assertThat(pending()).hasSize(1);
        accept(cam, "cam-7");
        enrol(service(), cam, "cam-7", Optional.empty());
        assertThat(directory.enrolled()).containsExactly("cam-7");
    }

    // --- One key, one name ---

    @Test
    void oneKeyIsOneDeviceUnderOneName() throws Exception {
        SoftwareBridge cam = device("cam");
        EnrolmentToken token = tokens().create(1000, Duration.ofDays(1));
        enrol(cam, "cam-7", token);
        for (int i = 0; i < 50; i++) {
            String name = "cam-1" + i;
            assertCode(Code.ATT_ENROL, "is enrolled as cam-7", () -> enrol(cam, name, token));
        }
        assertThat(directory.enrolled()).containsExactly("cam-7");
        assertThat(tokens().list()).singleElement().matches(one -> one.used() == 1);
        new DeviceRecords(directory).forget("cam-7", clock());
        enrol(cam, "cam-8", token);
        assertThat(directory.enrolled()).containsExactly("cam-8");
    }

    /** A fleet of the time when a key could have several names: they stay, and no further one comes. */
    @Test
    void keysOfAnOlderFleetAreBoundWhenTheServiceStarts() throws Exception {
        SoftwareBridge cam = device("cam");
        accept(cam, "cam-7");
        enrol(cam, "cam-7");
        EnrolledDevice record = new DeviceRecords(directory).read("cam-7");
        EnrolledDevice twin = EnrolledDevice.fresh(
                "twin", record.signer(), record.attestationKey(), record.endorsement(), record.assurance());
        Files.write(directory.device("twin"), dev.holdfast.wire.Json.write(twin.toJson()));
        Path bound = directory.root().resolve("bound");
        try (Stream<Path> files = Files.list(bound)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        keys().decide(KeyLine.accepting(DeviceName.endorsement(cam)), "accept");
        enrol(cam, "twin");
        enrol(cam, "cam-7");
        assertCode(Code.ATT_ENROL, "is enrolled as", () -> enrol(cam, "cam-9"));
    }

    @Test
    void aNameThatComesFromAKeyIsForThatKeyAlone() throws Exception {
        SoftwareBridge mine = device("mine");
        SoftwareBridge theirs = device("theirs");
        String name = DeviceName.of(DeviceName.endorsement(mine));
        EnrolmentToken token = tokens().create(2, Duration.ofDays(1));
        assertCode(Code.ATT_ENROL, "comes from another device's key", () -> enrol(theirs, name, token));
        assertThat(pending()).isEmpty();
        enrol(mine, name, token);
        assertThat(directory.enrolled()).containsExactly(name);
    }

    @Test
    void aKeyThatIsListedWithANameHasNoOther() throws Exception {
        SoftwareBridge cam = device("cam");
        accept(cam, "cam-7");
        assertCode(Code.ATT_ENROL, "accepted as cam-7", () -> enrol(cam, "cam-8"));
        enrol(cam, "cam-7");
    }

    /** Though whoever runs the fleet lets the other key in, too, under any name that is free. */
    @Test
    void aNameThatIsKeptForAKeyIsForNoOther() throws Exception {
        SoftwareBridge cam = device("cam");
        SoftwareBridge other = device("other");
        accept(cam, "cam-7");
        keys().decide(new KeyLine(DeviceName.endorsement(other), Optional.empty(), Optional.empty(), false), "accept");
        assertCode(Code.ATT_ENROL, "is kept for another key", () -> enrol(other, "cam-7"));
        enrol(cam, "cam-7");
    }

    // --- Grants ---

    @Test
    void noListRaisesADeviceWithoutATpm() throws Exception {
        SoftwareBridge cam = device("cam");
        keys().decide(
                        new KeyLine(
                                DeviceName.endorsement(cam), Optional.empty(), Optional.of(Assurance.HARDWARE), false),
                        "accept");
        enrol(cam, "cam-7");
        assertThat(new DeviceRecords(directory).read("cam-7").assurance()).isEqualTo(Assurance.SOFTWARE);
    }

    /** What was granted on first use, by an earlier fleet, ends with the next enrolment; what was seen of the device stays. */
    @Test
    void theGrantIsWhatIsSaidNowAndTheMemoryStays() throws Exception {
        SoftwareBridge cam = device("cam");
        accept(cam, "cam-7");
        enrol(cam, "cam-7");
        DeviceRecords records = new DeviceRecords(directory);
        EnrolledDevice known = records.read("cam-7");
        Files.write(
                directory.device("cam-7"),
                dev.holdfast.wire.Json.write(known.with(Assurance.FIRMWARE).toJson()));
        enrol(cam, "cam-7");
        assertThat(records.read("cam-7")).isEqualTo(known);
        assertThat(Files.readString(directory.audit())).contains("\"act\":\"granted\"", "\"before\":\"FIRMWARE\"");
    }

    // --- Rejections ---

    @Test
    void aRejectedKeyIsRefusedWhateverVouchesForItAndGetsNoCertificateAnyMore() throws Exception {
        SoftwareBridge cam = device("cam");
        EnrolmentToken token = tokens().create(5, Duration.ofDays(1));
        enrol(cam, "cam-7", token);
        KeyLine rejected = new KeyLine(DeviceName.endorsement(cam), Optional.empty(), Optional.empty(), true);
        keys().decide(rejected, "reject");
        assertCode(Code.ATT_ENROL, "rejected", () -> enrol(cam, "cam-7", token));
        assertCode(Code.ATT_ENROL, "rejected", () -> enrol(cam, "cam-8", token));
        assertThat(pending()).isEmpty();
        // A list that is imported again brings back nothing.
        assertThat(keys().take(List.of(KeyLine.accepting(DeviceName.endorsement(cam))), "keys.csv"))
                .isEqualTo(new AcceptedKeys.Decided(0, 1));
        assertCode(Code.ATT_ENROL, "rejected", () -> enrol(cam, "cam-7", token));
    }

    // --- Tokens ---

    @Test
    void aTokenLetsInAsManyAsItSaysUntilItsEnd() throws Exception {
        EnrolmentToken token = tokens().create(2, Duration.ofDays(1));
        enrol(device("1"), "cam-1", token);
        enrol(device("2"), "cam-2", token);
        assertCode(Code.ATT_PENDING, "used up", () -> enrol(device("3"), "cam-3", token));
        // Devices that are in come again without it.
        enrol(device("1"), "cam-1", token);
        EnrolmentToken other = tokens().create(2, Duration.ofDays(1));
        now = now.plus(Duration.ofDays(2));
        assertCode(Code.ATT_PENDING, "expired", () -> enrol(device("3"), "cam-3", other));
        EnrolmentToken third = tokens().create(2, Duration.ofDays(1));
        tokens().revoke(third.id());
        assertCode(Code.ATT_PENDING, "not one of this fleet's", () -> enrol(device("3"), "cam-3", third));
        assertThat(directory.enrolled()).containsExactly("cam-1", "cam-2");
        try (Stream<Path> files = Files.list(directory.root().resolve("tokens"))) {
            for (Path file : files.toList()) {
                assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                        .isEqualTo("rw-------");
            }
        }
    }

    /** Whoever listens at the broker has all that a device with a token sent, and puts it into an enrolment of his own. */
    @Test
    void aTokenThatWasHeardIsGoodForNothing() throws Exception {
        EnrolmentToken token = tokens().create(5, Duration.ofDays(1));
        EnrolmentService service = service();
        DeviceEnrolment genuine = new DeviceEnrolment(device("cam"), "cam-7");
        byte[] asked = service.begin("cam-7", Binary.copyOf(genuine.request()));
        byte[] heard = genuine.prove(asked, Optional.of(token)).orThrow();
        assertThat(new String(heard, java.nio.charset.StandardCharsets.ISO_8859_1))
                .contains(token.id())
                .doesNotContain(token.secret().hex());
        Cbor.Fields fields = Cbor.Fields.of(CborReader.read(heard, 4096).orThrow());

        for (String name : List.of("thief", "cam-7")) {
            DeviceEnrolment theirs = new DeviceEnrolment(device("thief"), name);
            byte[] challenge = service.begin(name, Binary.copyOf(theirs.request()));
            Cbor.Fields own = Cbor.Fields.of(
                    CborReader.read(theirs.prove(challenge).orThrow(), 4096).orThrow());
            byte[] spliced = CborWriter.write(Cbor.dict()
                    .put("format", Cbor.of(1))
                    .put("proof", Cbor.of(own.bytes("proof", 32, 64)))
                    .put("token", Cbor.of(fields.text("token", 16)))
                    .put("tokenMac", Cbor.of(fields.bytes("tokenMac", 32, 32)))
                    .build());
            assertCode(
                    Code.ATT_PENDING, "not one of this fleet's", () -> service.complete(name, Binary.copyOf(spliced)));
        }
        // The device's own messages again, after a challenge of their own.
        service.begin("cam-7", Binary.copyOf(genuine.request()));
        assertCode(Code.ATT_ENROL, "does not answer", () -> service.complete("cam-7", Binary.copyOf(heard)));
        assertThat(directory.enrolled()).isEmpty();
        assertThat(tokens().list()).singleElement().matches(one -> one.used() == 0);
    }

    /** Two services on one folder, and the last use of a token. */
    @Test
    void theLastUseOfATokenIsForOneOfTwoThatComeAtOnce() throws Exception {
        EnrolmentService one = service();
        EnrolmentService two = service();
        for (int i = 0; i < 10; i++) {
            EnrolmentToken token = tokens().create(1, Duration.ofDays(1));
            SoftwareBridge left = device("left-" + i);
            SoftwareBridge right = device("right-" + i);
            String name = "cam-" + i;
            List<Boolean> in = Together.together(
                    () -> isLetIn(one, left, name + "-left", token), () -> isLetIn(two, right, name + "-right", token));
            assertThat(in).as(name).containsOnlyOnce(true);
        }
        assertThat(directory.enrolled()).hasSize(10);
    }

    private static boolean isLetIn(EnrolmentService service, SoftwareBridge bridge, String name, EnrolmentToken token)
            throws Exception {
        try {
            enrol(service, bridge, name, Optional.of(token));
            return true;
        } catch (RejectedException e) {
            assertThat(e.rejection().code()).isIn(Code.ATT_PENDING, Code.ATT_ENROL);
            return false;
        }
    }

    /** The power is lost after the use was counted and before the device is in. */
    @Test
    void aUseThatWasCountedIsThatDevicesStill() throws Exception {
        EnrolmentToken token = tokens().create(1, Duration.ofDays(1));
        SoftwareBridge cam = device("cam");
        enrol(cam, "cam-7", token);
        Files.delete(directory.device("cam-7"));
        assertCode(Code.ATT_PENDING, "used up", () -> enrol(device("other"), "cam-8", token));
        enrol(cam, "cam-7", token);
        assertThat(directory.enrolled()).containsExactly("cam-7");
        assertThat(tokens().list()).singleElement().matches(one -> one.used() == 1);
    }

    @Test
    void aDamagedFileOfATokenLetsNobodyIn() throws Exception {
        EnrolmentToken token = tokens().create(1, Duration.ofDays(1));
        Files.writeString(directory.root().resolve("tokens").resolve(token.id() + ".json"), "{\"format\":1}");
        assertThatThrownBy(() -> enrol(device("cam"), "cam-7", token)).isInstanceOf(RejectedException.class);
        assertThat(directory.enrolled()).isEmpty();
        Sha256 key = DeviceName.endorsement(device("cam"));
        assertThat(new PendingDevices(directory).find(key)).isEmpty();
    }
}
