package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

/** Each limit of a message from both sides: as much as there may be is read, and one byte, item or step more is refused. */
class MessageLimitsTest {
    private static final Binary ID = Binary.copyOf(new byte[Request.ID_BYTES]);
    private static final Cbor BLOB = Cbor.of(new byte[32]);
    private static final Cbor NONCE = Cbor.of(new byte[32]);

    private static Binary bytes(int length) {
        return Binary.copyOf(new byte[Math.max(0, length)]);
    }

    private static byte[] message(Object... pairs) {
        Cbor.DictBuilder dict = Cbor.dict();
        for (int i = 0; i < pairs.length; i += 2) {
            dict.put((String) pairs[i], (Cbor) pairs[i + 1]);
        }
        return CborWriter.write(dict.build());
    }

    /** A message of a kind, with the field that is tried. */
    private static Function<Cbor, byte[]> field(String kind, String name, Object... others) {
        return value -> {
            Object[] all = new Object[others.length + 6];
            System.arraycopy(others, 0, all, 0, others.length);
            all[others.length] = "id";
            all[others.length + 1] = Cbor.of(ID);
            all[others.length + 2] = "kind";
            all[others.length + 3] = Cbor.of(kind);
            all[others.length + 4] = name;
            all[others.length + 5] = value;
            return message(all);
        };
    }

    private static void between(
            Function<byte[], Verdict<?>> decode,
            Function<Cbor, byte[]> message,
            IntFunction<Cbor> value,
            int min,
            int max) {
        for (int inside : new int[] {min, max}) {
            Verdict<?> read = decode.apply(message.apply(value.apply(inside)));
            assertThat(read.isAccepted()).as("%s of %s", inside, read).isTrue();
        }
        for (int outside : min > 0 ? new int[] {min - 1, max + 1} : new int[] {max + 1}) {
            assertThat(decode.apply(message.apply(value.apply(outside))))
                    .as("%s, of %s to %s", outside, min, max)
                    .isInstanceOfSatisfying(
                            Verdict.Rejected.class,
                            refused -> assertThat(refused.reason().code()).isEqualTo(Code.WIRE_FIELD));
        }
    }

    private static Cbor octets(int length) {
        return Cbor.of(bytes(length));
    }

    private static Cbor text(int length) {
        return Cbor.of("x".repeat(length));
    }

    private static Cbor items(int count) {
        return new Cbor.Array(Collections.nCopies(count, Cbor.of(1)));
    }

    @Test
    void questions() {
        between(Request::decode, field("metadata", "name", "offset", Cbor.of(0)), MessageLimitsTest::text, 0, 128);
        between(Request::decode, field("director", "nonce", "offset", Cbor.of(0)), MessageLimitsTest::octets, 8, 64);
        between(
                Request::decode,
                field("leaves", "count", "blob", BLOB, "first", Cbor.of(0)),
                count -> Cbor.of((long) count),
                1,
                Request.MAX_LEAVES);
        between(
                Request::decode,
                field("blocks", "bytes", "blob", BLOB, "indices", items(1)),
                length -> Cbor.of((long) length),
                1,
                Request.MAX_BLOCK_BYTES);
        between(
                Request::decode,
                field("blocks", "indices", "blob", BLOB, "bytes", Cbor.of(4096)),
                MessageLimitsTest::items,
                0,
                Request.MAX_BLOCKS);
        between(
                Request::decode,
                id -> message("id", id, "kind", Cbor.of("enrol"), "request", octets(1)),
                MessageLimitsTest::octets,
                Request.ID_BYTES,
                Request.ID_BYTES);
    }

    @Test
    void numbersOfQuestionsAreNeitherNegativeNorLongerThanAnInt() {
        long beyond = Integer.MAX_VALUE + 1L;
        for (long wrong : new long[] {-1, beyond}) {
            for (byte[] message : List.of(
                    field("metadata", "offset", "name", text(1)).apply(Cbor.of(wrong)),
                    field("director", "offset", "nonce", NONCE).apply(Cbor.of(wrong)),
                    field("leaves", "first", "blob", BLOB, "count", Cbor.of(1)).apply(Cbor.of(wrong)),
                    field("blocks", "indices", "blob", BLOB, "bytes", Cbor.of(4096))
                            .apply(Cbor.array(Cbor.of(wrong))))) {
                assertThat(Request.decode(message).isAccepted()).isFalse();
            }
        }
    }

    @Test
    void answers() {
        between(
                Reply::decode,
                field("part", "data", "total", Cbor.of(1 << 20), "offset", Cbor.of(0)),
                MessageLimitsTest::octets,
                0,
                Reply.PART_BYTES);
        between(
                Reply::decode,
                field("leaves", "hashes", "first", Cbor.of(0)),
                MessageLimitsTest::octets,
                0,
                32 * Request.MAX_LEAVES);
        between(
                Reply::decode,
                field("block", "data", "index", Cbor.of(0)),
                MessageLimitsTest::octets,
                1,
                Request.MAX_BLOCK_BYTES);
        between(Reply::decode, field("enrolment", "message"), MessageLimitsTest::octets, 0, Request.MAX_BYTES);
        between(Reply::decode, field("refused", "code", "detail", text(1)), MessageLimitsTest::text, 0, 64);
        between(Reply::decode, field("refused", "detail", "code", text(1)), MessageLimitsTest::text, 0, 512);
        between(
                Reply::decode,
                id -> message("id", id, "kind", Cbor.of("absent")),
                MessageLimitsTest::octets,
                Request.ID_BYTES,
                Request.ID_BYTES);
    }

    @Test
    void challengesAndEvidence() {
        between(Challenge::decode, nonce -> message("nonce", nonce), MessageLimitsTest::octets, 8, 64);
        between(
                Challenge::decode,
                signature -> message("nonce", NONCE, "issued", Cbor.of(1), "signature", signature),
                MessageLimitsTest::octets,
                Challenge.Seal.BYTES,
                Challenge.Seal.BYTES);
        between(
                Evidence::decode,
                nonce -> message("nonce", nonce, "token", octets(1)),
                MessageLimitsTest::octets,
                8,
                64);
        between(
                Evidence::decode,
                total -> message("nonce", NONCE, "total", total, "offset", Cbor.of(0), "data", octets(1)),
                total -> Cbor.of((long) total),
                1,
                Evidence.MAX_TOTAL_BYTES);
        between(
                Evidence::decode,
                offset -> message("nonce", NONCE, "total", Cbor.of(100), "offset", offset, "data", octets(1)),
                offset -> Cbor.of((long) offset),
                0,
                99);
        between(
                Evidence::decode,
                data -> message("nonce", NONCE, "total", Cbor.of(100), "offset", Cbor.of(40), "data", data),
                MessageLimitsTest::octets,
                1,
                60);
    }

    /** A whole message that is a byte too long is not even read. */
    @Test
    void wholeMessages() {
        longest(Request::decode, field("enrol", "request"), Request.MAX_BYTES);
        longest(Challenge::decode, more -> message("nonce", NONCE, "more", more), Challenge.MAX_BYTES);
        longest(
                Reply::decode,
                more -> message("id", Cbor.of(ID), "kind", Cbor.of("absent"), "more", more),
                Reply.MAX_BYTES);
        longest(Evidence::decode, token -> message("nonce", NONCE, "token", token), Evidence.MAX_BYTES);
    }

    private static void longest(Function<byte[], Verdict<?>> decode, Function<Cbor, byte[]> message, int max) {
        int around = message.apply(octets(max / 2)).length - max / 2;
        byte[] most = message.apply(octets(max - around));
        assertThat(most).hasSize(max);
        assertThat(decode.apply(most).isAccepted()).isTrue();
        assertThat(decode.apply(message.apply(octets(max - around + 1))))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        refused -> assertThat(refused.reason().code()).isEqualTo(Code.WIRE_TOO_LARGE));
    }

    @Test
    void theNextPartOfADocumentIsTheOnlyOneThatIsTaken() {
        DocumentParts parts = new DocumentParts(3 * Reply.PART_BYTES);
        assertThat(parts.take(new Reply.Part(3 * Reply.PART_BYTES + 1, 0, bytes(Reply.PART_BYTES))))
                .as("longer than it may be")
                .isFalse();
        assertThat(parts.take(new Reply.Part(2 * Reply.PART_BYTES, 1, bytes(Reply.PART_BYTES))))
                .as("not the first")
                .isFalse();
        assertThat(parts.take(new Reply.Part(2 * Reply.PART_BYTES, 0, bytes(Reply.PART_BYTES - 1))))
                .as("not full")
                .isFalse();
        assertThat(parts.take(new Reply.Part(2 * Reply.PART_BYTES, 0, bytes(Reply.PART_BYTES))))
                .isTrue();
        assertThat(parts.take(new Reply.Part(2 * Reply.PART_BYTES + 1, Reply.PART_BYTES, bytes(Reply.PART_BYTES))))
                .as("of another length")
                .isFalse();
        assertThat(parts.take(new Reply.Part(2 * Reply.PART_BYTES, Reply.PART_BYTES, bytes(Reply.PART_BYTES))))
                .isTrue();
        assertThat(parts.isWhole()).isTrue();
    }

    @Test
    void aWildcardIsNoNameOfAFleetOrADevice() {
        for (String wildcard : List.of("+", "#")) {
            assertThat(Topics.isName(wildcard)).isFalse();
            assertThat(Topics.parse("holdfast/v1/" + wildcard + "/d/device-1/ask")
                            .isAccepted())
                    .isFalse();
            assertThat(Topics.parse("holdfast/v1/fleet/d/" + wildcard + "/ask").isAccepted())
                    .isFalse();
        }
        for (String topic : List.of(
                "holdfast/v2/fleet/d/device-1/ask",
                "holdfast/v1/fleet/x/device-1/ask",
                "other/v1/fleet/d/device-1/ask",
                "holdfast/v1/fleet/d/device-1",
                "holdfast/v1/fleet/d/device-1/ask/more")) {
            assertThat(Topics.parse(topic).isAccepted()).as(topic).isFalse();
        }
    }
}
