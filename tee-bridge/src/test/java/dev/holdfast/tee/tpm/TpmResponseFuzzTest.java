package dev.holdfast.tee.tpm;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.sun.management.ThreadMXBean;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.BridgeContract;
import dev.holdfast.tee.Enroller;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.Sealer;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.tpm.ReplayedTpm.Lie;
import dev.holdfast.tee.tpm.ReplayedTpm.Operation;
import dev.holdfast.tee.tpm.ReplayedTpm.Place;
import dev.holdfast.tee.tpm.ReplayedTpm.Recording;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.interfaces.ECPublicKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Responses of a real TPM to every command that we send, changed on the bus or by the TPM itself: an operation ends in a
 * value or a {@link TeeException}, within bounds, and what a session protects is refused or right.
 */
class TpmResponseFuzzTest {
    private static final int MANY = 100_000;
    private static final int SOME = 4_000;
    /** An operation draws on keys and curves, and keeps up to six responses of 4 KiB; nothing in it may grow with a lie. */
    private static final long MAX_CASE_BYTES = 4L << 20;

    private static final Tpm2Options AUTHORIZED = Tpm2Options.DEFAULT.authorized(AuthValue.of("a random value"));
    private static final Binary DATA = BridgeContract.QUALIFYING;
    private static final Binary SECRET = Binary.copyOf(new byte[] {3, 1, 4, 1, 5, 9, 2, 6});
    private static final Binary PURPOSE = Binary.copyOf(new byte[] {7});

    @TempDir
    Path temp;

    @FuzzTest
    void structures(byte[] bytes) {
        Binary input = Binary.copyOf(bytes);
        assertThat(TpmAttest.parse(input)).isNotNull();
        assertThat(TpmPublic.parse(input)).isNotNull();
        assertThat(TpmRsaPublic.parse(input)).isNotNull();
        assertThat(TpmSignature.toP1363(input)).isNotNull();
    }

    @Test
    void someChangedResponsesEndTyped() throws Exception {
        change(SOME, 20261125);
    }

    @Tag("soak")
    @Test
    void aHundredThousandChangedResponsesEndTyped() throws Exception {
        change(MANY, 1);
    }

    private record Target(Recording recording, int exchange) {}

    private static final class Counts {
        private int refused;
        private int passed;
    }

    private void change(int count, long seed) throws Exception {
        KeyPair endorsement = P256.generate();
        SortedMap<Long, List<Target>> targets = new TreeMap<>();
        for (Recording recording : recordings((ECPublicKey) endorsement.getPublic())) {
            for (int at = 0; at < recording.exchanges().size(); at++) {
                targets.computeIfAbsent(recording.exchanges().get(at).code(), code -> new ArrayList<>())
                        .add(new Target(recording, at));
            }
        }
        assertThat(targets.keySet()).as("commands that were recorded").isEqualTo(commands());

        List<Long> codes = List.copyOf(targets.keySet());
        Map<Long, Counts> counts = new TreeMap<>();
        Random random = new Random(seed);
        long most = 0;
        long longest = 0;
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        for (int i = 0; i < count; i++) {
            long code = codes.get(i % codes.size());
            List<Target> choice = targets.getOrDefault(code, List.of());
            Target target = choice.get(random.nextInt(choice.size()));
            boolean keyed =
                    target.recording().exchanges().get(target.exchange()).isKeyed();
            Place place = keyed && random.nextBoolean() ? Place.IN_THE_TPM : Place.ON_THE_BUS;
            UnaryOperator<byte[]> change = place == Place.IN_THE_TPM
                    ? good -> ByteChanges.change(good, random)
                    : good -> onTheBus(good, random);
            ReplayedTpm tpm =
                    new ReplayedTpm(target.recording(), endorsement, new Lie(target.exchange(), place, change));
            Counts of = counts.computeIfAbsent(code, fresh -> new Counts());
            long before = threads.getTotalThreadAllocatedBytes();
            long start = System.nanoTime();
            try (Tpm2Bridge bridge =
                    Tpm2Bridge.open(() -> TpmWire.to(tpm), target.recording().options())) {
                Object result = target.recording().operation().run(bridge);
                of.passed++;
                if (keyed && place == Place.ON_THE_BUS) {
                    assertThat(result).isEqualTo(target.recording().result());
                }
            } catch (TeeException e) {
                of.refused++;
            }
            longest = Math.max(longest, System.nanoTime() - start);
            most = Math.max(most, threads.getTotalThreadAllocatedBytes() - before);
            assertThat(most).as("case %d of seed %d", i, seed).isLessThan(MAX_CASE_BYTES);
            assertThat(longest)
                    .as("case %d of seed %d", i, seed)
                    .isLessThan(Tpm2Options.DEFAULT.commandDeadline().toNanos());
        }
        counts.forEach((code, of) -> {
            System.out.println("responses to 0x" + Long.toHexString(code) + ": " + of.refused + " refused, " + of.passed
                    + " passed");
            assertThat(of.refused).as("0x" + Long.toHexString(code)).isPositive();
        });
        System.out.println(count + " changed responses to " + codes.size() + " commands, at most " + most / 1024
                + " KiB and " + longest / 1_000_000 + " ms for an operation");
        assertThat(counts.values().stream().mapToInt(of -> of.passed).sum()).isPositive();
    }

    private static byte[] onTheBus(byte[] good, Random random) {
        byte[] bad = ByteChanges.change(good, random);
        if (bad.length >= TpmConnection.HEADER_BYTES && random.nextBoolean()) {
            // Where the size is right the change gets past the connection.
            ByteBuffer.wrap(bad).putInt(2, bad.length);
        }
        return bad;
    }

    /** Every command code that the bridge knows. */
    private static Set<Long> commands() throws IllegalAccessException {
        Set<Long> codes = new java.util.TreeSet<>();
        for (Field field : Tpm.class.getDeclaredFields()) {
            if (field.getName().startsWith("CC_")) {
                codes.add(field.getLong(null));
            }
        }
        return codes;
    }

    private List<Recording> recordings(ECPublicKey own) throws Exception {
        KeyPair anchor = P256.generate();
        var authorized = new SealPolicy.AuthorizedBy((ECPublicKey) anchor.getPublic(), PURPOSE);
        byte[] signature = P256.sign(anchor.getPrivate(), new Sha256(DATA));
        try (Swtpm swtpm = Swtpm.start(temp)) {
            TpmTools tools = new TpmTools(temp, swtpm);
            tools.storeCertificate("0x1c0000a", new byte[900]);
            List<Operation> operations = new ArrayList<>();
            ECPublicKey real;
            try (Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
                Enroller enroller = bridge.enroller().orElseThrow();
                real = BridgeContract.accepted(TpmPublic.parse(enroller.endorsementPublic()))
                        .key();
                Sealer sealer = bridge.sealer().orElseThrow();
                var registers = new SealPolicy.Registers(
                        new TreeMap<>(Map.of(14, bridge.register().orElseThrow().read())));
                byte[] forDevice = sealer.seal(SECRET.toArray());
                byte[] forRegisters = sealer.seal(SECRET.toArray(), registers);
                byte[] forAnchor = sealer.seal(SECRET.toArray(), authorized);
                var approval = new Unlock.Approved(
                        authorized,
                        Set.of(14),
                        Binary.copyOf(P256.sign(anchor.getPrivate(), Unlock.approved(registers, PURPOSE))));
                operations.add(b -> unsealed(b, forDevice, new Unlock.ThisDevice()));
                operations.add(b -> unsealed(b, forRegisters, new Unlock.Registers(Set.of(14))));
                operations.add(b -> unsealed(b, forAnchor, approval));
                TpmTools.Credential credential = tools.makeCredential(
                        enroller.endorsementPublic(),
                        BridgeContract.accepted(TpmPublic.parse(enroller.attestationPublic()))
                                .name(),
                        SECRET);
                operations.add(
                        b -> b.enroller().orElseThrow().activate(credential.blob(), credential.encryptedSecret()));
            }
            operations.add(b -> Binary.copyOf(b.sealer().orElseThrow().seal(SECRET.toArray())));
            operations.add(b -> Binary.copyOf(b.signer().orElseThrow().sign(new Sha256(DATA))));
            operations.add(
                    b -> b.anchorVerifier().orElseThrow().verify(authorized.anchor(), new Sha256(DATA), signature));
            operations.add(b -> b.quoter().orElseThrow().quote(DATA, Set.of(0, 1, 2, 3, 4, 5, 6, 7, 10, 11)));
            operations.add(b -> b.enroller().orElseThrow().certifySigner(DATA));
            operations.add(b -> b.enroller().orElseThrow().endorsementCertificate());
            operations.add(b -> b.register().orElseThrow().resetCount());
            operations.add(b -> {
                b.register().orElseThrow().extend(new Sha256(DATA));
                return b.register().orElseThrow().read();
            });
            List<Recording> recordings = new ArrayList<>();
            for (Operation operation : operations) {
                recordings.add(ReplayedTpm.record(swtpm.address(), Tpm2Options.DEFAULT, operation));
            }
            recordings.add(ReplayedTpm.record(
                    swtpm.address(), Tpm2Options.DEFAULT.with(new TpmRegister.Nv(15)), TpmResponseFuzzTest::measured));
            for (Operation operation : provisioned(tools)) {
                recordings.add(ReplayedTpm.record(swtpm.address(), AUTHORIZED, operation));
            }
            recordings.replaceAll(one -> ReplayedTpm.withEndorsement(one, real, own));
            return recordings;
        }
    }

    /** The owner has a password, so that keys are stored and used in sessions. */
    private static List<Operation> provisioned(TpmTools tools) throws Exception {
        tools.run("tpm2_changeauth", "-c", "o", "owner");
        return List.of(
                b -> {
                    Provisioner provisioner = b.provisioner().orElseThrow();
                    List<String> made = new ArrayList<>(provisioner.prepareKeys(AuthValue.of("owner")));
                    made.addAll(provisioner.prepareCounter(AuthValue.of("owner")));
                    provisioner.anchor(new Sha256(DATA), AuthValue.of("owner"));
                    return List.of(made, b.anchorStore().orElseThrow().read());
                },
                b -> {
                    long first = b.stateCounter().orElseThrow().read();
                    b.stateCounter().orElseThrow().advanceTo(first + 2);
                    return List.of(first, b.stateCounter().orElseThrow().read());
                },
                b -> P256.verify(
                        b.signer().orElseThrow().publicKey(),
                        new Sha256(DATA),
                        b.signer().orElseThrow().sign(new Sha256(DATA))),
                b -> b.provisioner().orElseThrow().remove(AuthValue.of("owner")));
    }

    private static Object measured(Tpm2Bridge bridge) throws TeeException {
        MeasurementRegister register = bridge.register().orElseThrow();
        register.extend(new Sha256(DATA));
        register.extend(new Sha256(DATA));
        return List.of(register.read(), bridge.quoter().orElseThrow().quote(DATA));
    }

    private static Binary unsealed(Tpm2Bridge bridge, byte[] sealed, Unlock unlock) throws TeeException {
        return Binary.copyOf(bridge.sealer().orElseThrow().unseal(sealed, unlock));
    }
}
