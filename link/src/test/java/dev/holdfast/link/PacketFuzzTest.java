package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.eclipse.paho.mqttv5.common.packet.MqttWireMessage;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Bytes of any content are packets of a broker, end too early, or are refused with a code; nothing else is thrown. */
class PacketFuzzTest {
    private static final int SOME = 5_000;
    private static final int MANY = 1_000_000;

    /** What mosquitto 2.0 and the table of MQTT 5.0 section 2.2.2.2 have; each is read. */
    private static final List<String> SEEDS = List.of(
            "2003000000",
            "20 09 00 00 06 22 00 0a 21 00 14",
            "20 22 00 87 1f 13003c 1f0003626164 210008 2400 2500 2700040000 11000000ff 1200026162",
            "20 10 00 00 0d 26 0001 61 0001 62 2801 2901 2a01",
            "30 08 0003 612f62 00 6869",
            "32 0c 0003 612f62 000a 02 0101 6869",
            "40 02 000a",
            "40 03 000a 87",
            "90 05 000a 00 01 87",
            "d000",
            "e000",
            "e0 02 8e 00",
            "e0 08 8b 06 1f 0003 627965");

    @FuzzTest(maxDuration = "1m")
    void packet(byte[] bytes) throws Exception {
        readByTheLibrary(bytes);
    }

    /** Whatever is no refusal is read by the client library, too, as we write it once more. */
    private static Optional<Packet> readByTheLibrary(byte[] bytes) throws Exception {
        Optional<Packet> packet = read(bytes);
        if (packet.isPresent() && !(packet.get() instanceof Packet.Disconnect)) {
            assertThat(MqttWireMessage.createWireMessage(PlainPacket.of(packet.get())))
                    .isNotNull();
        }
        return packet;
    }

    private static Optional<Packet> read(byte[] bytes) throws IOException {
        try {
            return Optional.of(new PacketReader(new ByteArrayInputStream(bytes)).next());
        } catch (LinkException e) {
            assertThat(e.rejection().code()).isEqualTo(Code.LNK_PROTOCOL);
            return Optional.empty();
        } catch (EOFException e) {
            return Optional.empty();
        }
    }

    private static byte[] seed(int number) {
        return HexFormat.of().parseHex(SEEDS.get(number).replace(" ", ""));
    }

    @Test
    void readsWhatBrokersSend() throws Exception {
        for (int i = 0; i < SEEDS.size(); i++) {
            assertThat(read(seed(i))).as(SEEDS.get(i)).isPresent();
        }
        assertThat(read(seed(2)).orElseThrow())
                .isEqualTo(new Packet.ConnAck(0x87, "bad", 8, false, false, 0x0004_0000, 60, true, true));
        assertThat(read(seed(5)).orElseThrow()).isInstanceOfSatisfying(Packet.Publish.class, message -> {
            assertThat(message.topic()).isEqualTo("a/b");
            assertThat(message.id()).isEqualTo(10);
            assertThat(message.payload()).asString().isEqualTo("hi");
        });
        assertThat(read(seed(12)).orElseThrow()).isEqualTo(new Packet.Disconnect(0x8b, "bye"));
    }

    @Test
    void refusesWhatABrokerMustNotSend() {
        for (String packet :
                List.of("1000", "8000", "c000", "f000", "0000", "3400", "d100", "2002 0200", "40 02 0000")) {
            byte[] bytes = HexFormat.of().parseHex(packet.replace(" ", ""));
            assertThat(PacketReader.parse(bytes[0] & 0xff, java.util.Arrays.copyOfRange(bytes, 2, bytes.length)))
                    .as(packet)
                    .isInstanceOf(Verdict.Rejected.class);
        }
    }

    @Test
    void everyMutationIsReadOrRefused() throws Exception {
        mutate(SOME);
    }

    @Test
    @Tag("soak")
    void everyOneOfManyMutationsIsReadOrRefused() throws Exception {
        mutate(MANY);
    }

    private static void mutate(int rounds) throws Exception {
        Random random = new Random(5);
        int read = 0;
        for (int round = 0; round < rounds; round++) {
            byte[] bytes = seed(random.nextInt(SEEDS.size()));
            for (int change = random.nextInt(4); change >= 0; change--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            byte[] cut = java.util.Arrays.copyOf(bytes, random.nextInt(bytes.length) + 1);
            read += readByTheLibrary(random.nextBoolean() ? bytes : cut).isPresent() ? 1 : 0;
        }
        assertThat(read).as("some are still packets").isBetween(rounds / 100, rounds);
    }
}
