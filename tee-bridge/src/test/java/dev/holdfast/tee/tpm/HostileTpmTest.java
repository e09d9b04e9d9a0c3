package dev.holdfast.tee.tpm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.BridgeContract;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A TPM, or whatever sits on its bus, that lies. */
class HostileTpmTest {
    private static final Binary DATA = Binary.copyOf(new byte[32]);

    @TempDir
    Path temp;

    private static byte[] spoil(byte[] good, Random random) {
        if (random.nextInt(6) != 0) {
            return good;
        }
        byte[] bad = ByteChanges.change(good, random);
        if (bad.length >= TpmConnection.HEADER_BYTES && random.nextBoolean()) {
            ByteBuffer.wrap(bad).putInt(2, bad.length);
        }
        return bad;
    }

    @Test
    void spoiledResponsesEndInTeeExceptionsOnly() throws Exception {
        Random random = new Random(20261124);
        int failed = 0;
        int fine = 0;
        try (Swtpm swtpm = Swtpm.start(temp)) {
            try (Tpm2Bridge undisturbed =
                    Tpm2Bridge.open(swtpm.address(), Tpm2Options.DEFAULT.authorized(AuthValue.of("a value")))) {
                BridgeContract.provision(undisturbed, new Sha256(DATA));
            }
            Tpm2Bridge bridge = openSomehow(swtpm, random);
            List<Callable<Object>> operations = List.of(
                    () -> bridge.quoter().orElseThrow().quote(DATA),
                    () -> bridge.signer().orElseThrow().sign(new Sha256(DATA)),
                    () -> bridge.enroller().orElseThrow().certifySigner(DATA),
                    () -> bridge.enroller().orElseThrow().activate(DATA, DATA),
                    () -> bridge.enroller().orElseThrow().endorsementCertificate(),
                    () -> bridge.sealer()
                            .orElseThrow()
                            .unseal(bridge.sealer().orElseThrow().seal(new byte[8])),
                    () -> bridge.stateCounter().orElseThrow().read(),
                    () -> bridge.anchorStore().orElseThrow().read(),
                    () -> bridge.register().orElseThrow().resetCount(),
                    () -> bridge.register().orElseThrow().read());
            for (int i = 0; i < 3000; i++) {
                try {
                    operations.get(random.nextInt(operations.size())).call();
                    fine++;
                } catch (TeeException e) {
                    failed++;
                }
            }
            bridge.close();
        }
        System.out.println("spoiled responses: " + failed + " operations refused, " + fine + " passed");
        assertThat(failed).isGreaterThan(500);
        assertThat(fine).isGreaterThan(100);
    }

    private static Tpm2Bridge openSomehow(Swtpm swtpm, Random random) throws TeeException {
        Tpm2Options quick =
                new Tpm2Options(new TpmRegister.Pcr(14), Duration.ofSeconds(2)).authorized(AuthValue.of("a value"));
        for (int attempt = 0; ; attempt++) {
            try {
                return Tpm2Bridge.open(
                        () -> TpmWire.tapped(swtpm.address(), (command, response) -> spoil(response, random)), quick);
            } catch (TeeException e) {
                if (attempt > 100) {
                    throw e;
                }
            }
        }
    }

    @Test
    void aTpmThatNeverAnswersCostsOneDeadline() throws Exception {
        Path socket = temp.resolve("mute");
        try (ServerSocketChannel mute = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            mute.bind(UnixDomainSocketAddress.of(socket));
            long start = System.nanoTime();
            assertThatThrownBy(() -> Tpm2Bridge.open(
                            new TpmAddress.Unix(socket),
                            new Tpm2Options(new TpmRegister.Pcr(14), Duration.ofMillis(200))))
                    .isInstanceOfSatisfying(
                            TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_UNAVAILABLE));
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
        }
    }

    /** Each byte is progress, and still the command ends: a good header that promises 4 KiB, and then a byte now and then. */
    @Test
    void aTpmThatTricklesCostsOneDeadline() throws Exception {
        Path socket = temp.resolve("slow");
        try (ServerSocketChannel slow = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            slow.bind(UnixDomainSocketAddress.of(socket));
            Thread.ofVirtual().start(() -> {
                try (SocketChannel channel = slow.accept()) {
                    channel.write(ByteBuffer.allocate(10)
                            .putShort((short) 0x8001)
                            .putInt(4096)
                            .putInt(0)
                            .flip());
                    while (channel.write(ByteBuffer.allocate(1)) > 0) {
                        Thread.sleep(20);
                    }
                } catch (IOException | InterruptedException e) {
                    // The bridge gave up, as it should.
                }
            });
            long start = System.nanoTime();
            assertThatThrownBy(() -> Tpm2Bridge.open(
                            new TpmAddress.Unix(socket),
                            new Tpm2Options(new TpmRegister.Pcr(14), Duration.ofMillis(200))))
                    .isInstanceOfSatisfying(
                            TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_UNAVAILABLE));
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
        }
    }

    @Test
    void structuresFromOutsideAreParsedWithinTheirBounds() {
        Random random = new Random(7);
        byte[] attest = new TpmAttest(
                        DATA,
                        DATA,
                        5,
                        2,
                        0,
                        true,
                        1,
                        new TpmAttest.Quoted(List.of(TpmAttest.Selection.sha256(List.of(14))), DATA))
                .encode()
                .toArray();
        assertThat(TpmAttest.parse(Binary.copyOf(attest)).isAccepted()).isTrue();
        for (int i = 0; i < 20_000; i++) {
            Binary input = Binary.copyOf(ByteChanges.change(attest, random));
            if (TpmAttest.parse(input) instanceof dev.holdfast.wire.Verdict.Accepted<TpmAttest>(TpmAttest parsed)) {
                assertThat(parsed.extraData().length()).isLessThanOrEqualTo(64);
            }
            TpmPublic.parse(input);
            TpmSignature.toP1363(input);
        }
    }
}
