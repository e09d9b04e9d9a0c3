package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Verdict;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Evidence that is longer than a packet comes in parts, and whoever joins them spends what it has and no more. */
class EvidenceAssemblyTest {
    private static final Binary NONCE = Binary.copyOf(new byte[16]);
    private static final Binary OTHER = Binary.copyOf(new byte[17]);
    /** The narrowest broker: Azure Event Grid's 64 KiB for a packet. */
    private static final int NARROWEST_PACKET = 64 * 1024;

    private static Binary token(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return Binary.copyOf(bytes);
    }

    private static Optional<Binary> join(EvidenceAssembly assembly, List<Evidence> parts) throws Exception {
        Optional<Binary> whole = Optional.empty();
        for (Evidence part : parts) {
            assertThat(whole).as("not before the last part").isEmpty();
            whole = assembly.take(Evidence.decode(part.encode()).orThrow());
        }
        return whole;
    }

    @Test
    void evidenceOfAnyLengthComesBackInPacketsThatEveryBrokerTakes() throws Exception {
        for (int length :
                new int[] {1, Evidence.MAX_PART_BYTES, Evidence.MAX_PART_BYTES + 1, 300_000, Evidence.MAX_TOTAL_BYTES
                }) {
            List<Evidence> parts = Evidence.parts(NONCE, token(length));
            assertThat(parts).allMatch(part -> part.encode().length <= NARROWEST_PACKET - 1024);
            assertThat(join(new EvidenceAssembly(NONCE), parts)).contains(token(length));
        }
    }

    @Test
    void shortEvidenceIsTheMessageThatOlderVerifiersRead() throws Exception {
        Binary token = token(1000);
        byte[] old = CborWriter.write(Cbor.dict()
                .put("nonce", Cbor.of(NONCE))
                .put("token", Cbor.of(token))
                .build());
        assertThat(Evidence.parts(NONCE, token).getFirst().encode()).isEqualTo(old);
        // And an older agent sends up to a whole message so.
        byte[] long1 = CborWriter.write(Cbor.dict()
                .put("nonce", Cbor.of(NONCE))
                .put("token", Cbor.of(token(100_000)))
                .build());
        assertThat(new EvidenceAssembly(NONCE).take(Evidence.decode(long1).orThrow()))
                .contains(token(100_000));
    }

    @Test
    void partsThatComeTwiceOrOfOtherAnswersChangeNothing() throws Exception {
        Binary token = token(200_000);
        List<Evidence> parts = Evidence.parts(NONCE, token);
        EvidenceAssembly assembly = new EvidenceAssembly(NONCE);
        for (Evidence part : parts.subList(0, parts.size() - 1)) {
            assertThat(assembly.take(part)).isEmpty();
            assertThat(assembly.take(part)).isEmpty();
            for (Evidence foreign : Evidence.parts(OTHER, token)) {
                assertThat(assembly.take(foreign)).isEmpty();
            }
            for (Evidence longer : Evidence.parts(NONCE, token(250_000))) {
                assertThat(assembly.take(longer)).isEmpty();
            }
        }
        assertThat(assembly.take(parts.getLast())).contains(token);
    }

    /** A length that is promised takes no memory; what is beyond a message's or the whole's bound is refused. */
    @Test
    void whatPromisesTooMuchIsRefused() {
        for (Evidence bad : List.of(
                new Evidence(NONCE, Evidence.MAX_TOTAL_BYTES + 1, 0, token(10)),
                new Evidence(NONCE, 20, 20, token(1)),
                new Evidence(NONCE, 20, 15, token(6)),
                new Evidence(NONCE, 20, -1, token(6)),
                new Evidence(NONCE, 20, 3, Binary.empty()),
                new Evidence(NONCE, Evidence.MAX_TOTAL_BYTES, 0, token(Evidence.MAX_BYTES)))) {
            assertThat(Evidence.decode(bad.encode())).isInstanceOf(Verdict.Rejected.class);
        }
    }
}
