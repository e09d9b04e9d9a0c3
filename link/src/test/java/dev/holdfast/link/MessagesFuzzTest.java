package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Verdict;
import java.util.function.Function;

/** Payloads of any content are refused, or a message that reads the same after it was written; nothing is thrown. */
class MessagesFuzzTest {
    @FuzzTest(maxDuration = "1m")
    void request(byte[] bytes) {
        readAgain(Request.decode(bytes), Request::encode, Request::decode);
    }

    @FuzzTest(maxDuration = "1m")
    void reply(byte[] bytes) {
        readAgain(Reply.decode(bytes), Reply::encode, Reply::decode);
    }

    @FuzzTest(maxDuration = "1m")
    void challenge(byte[] bytes) {
        readAgain(Challenge.decode(bytes), Challenge::encode, Challenge::decode);
    }

    /** One part after another of an answer, as far as they can be read; what comes of them is within its bound. */
    @FuzzTest(maxDuration = "1m")
    void evidence(byte[] bytes) {
        Verdict<Evidence> read = Evidence.decode(bytes);
        readAgain(read, Evidence::encode, Evidence::decode);
        if (read instanceof Verdict.Accepted<Evidence>(Evidence part)) {
            assertThat(new EvidenceAssembly(part.nonce()).take(part).map(Binary::length))
                    .satisfiesAnyOf(
                            none -> assertThat(none).isEmpty(),
                            whole -> assertThat(whole).hasValue(part.total()));
        }
    }

    private static <T> void readAgain(Verdict<T> read, Function<T, byte[]> write, Function<byte[], Verdict<T>> decode) {
        if (read instanceof Verdict.Accepted<T>(T message)) {
            assertThat(decode.apply(write.apply(message))).isEqualTo(read);
        }
    }
}
