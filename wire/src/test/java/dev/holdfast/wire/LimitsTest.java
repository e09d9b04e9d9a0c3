package dev.holdfast.wire;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Each bound of the readers from both sides. */
class LimitsTest {
    private static Verdict<?> cbor(byte[] bytes, int max) {
        return CborReader.read(bytes, max);
    }

    private static void assertRefused(Verdict<?> verdict, Code code) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        refused -> assertThat(refused.reason().code()).isEqualTo(code));
    }

    private static byte[] nested(int arrays) {
        byte[] bytes = new byte[arrays + 1];
        java.util.Arrays.fill(bytes, (byte) 0x81);
        bytes[arrays] = 0;
        return bytes;
    }

    @Test
    void cborIsAsDeepAsItMayBe() {
        assertThat(cbor(nested(CborReader.MAX_DEPTH), 1024).isAccepted()).isTrue();
        assertRefused(cbor(nested(CborReader.MAX_DEPTH + 1), 1024), Code.WIRE_CBOR);
    }

    @Test
    void cborIsAsLongAsItMayBe() {
        byte[] ten = CborWriter.write(Cbor.of(new byte[9]));
        assertThat(cbor(ten, 10).isAccepted()).isTrue();
        assertRefused(cbor(ten, 9), Code.WIRE_TOO_LARGE);
    }

    /** A count is believed as far as its items can still come: an array of one byte each, a map of two. */
    @Test
    void cborCountsAreBoundedByTheBytesThatAreLeft() {
        assertThat(cbor(new byte[] {(byte) 0x82, 0, 0}, 16).isAccepted()).isTrue();
        assertThat(cbor(new byte[] {(byte) 0x82, 0, 0}, 16).toString()).doesNotContain("more items");
        assertDetail(new byte[] {(byte) 0x83, 0, 0}, "more items than bytes");
        assertDetail(new byte[] {(byte) 0xa2, 0, 0, 1}, "more items than bytes");
        assertDetail(new byte[] {0x43, 0, 0}, "string longer than the input");
        assertDetail(new byte[] {0x63, 'a', 'b'}, "string longer than the input");
    }

    private static void assertDetail(byte[] bytes, String detail) {
        assertThat(cbor(bytes, 1024))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        refused -> assertThat(refused.reason().detail()).contains(detail));
    }

    @Test
    void cborHasOneFormOfEachNumber() {
        for (String wrong : List.of("1817", "1900ff", "1a0000ffff", "1b00000000ffffffff")) {
            assertDetail(java.util.HexFormat.of().parseHex(wrong), "shortest form");
        }
        assertDetail(
                java.util.HexFormat.of().parseHex("1c" + "00".repeat(8) + "0000000100000000"),
                "indefinite or reserved");
        for (String right : List.of("17", "1818", "190100", "1a00010000", "1b0000000100000000")) {
            assertThat(cbor(java.util.HexFormat.of().parseHex(right), 16).isAccepted())
                    .as(right)
                    .isTrue();
        }
    }

    @Test
    void jsonIsAsLongAsItMayBe() {
        byte[] text = "{\"a\":1}".getBytes(StandardCharsets.UTF_8);
        assertThat(Json.read(text, text.length).isAccepted()).isTrue();
        assertRefused(Json.read(text, text.length - 1), Code.WIRE_TOO_LARGE);
    }

    @Test
    void jsonIsAsDeepAndItsNumbersAreAsLongAsTheyMayBe() {
        for (int more : new int[] {0, 1}) {
            String deep = "[".repeat(Json.MAX_DEPTH + more) + "]".repeat(Json.MAX_DEPTH + more);
            String number = "1".repeat(Json.MAX_NUMBER_CHARS + more);
            for (String text : List.of(deep, number)) {
                byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
                assertThat(Json.read(utf8, 1024).isAccepted()).as(text).isEqualTo(more == 0);
            }
        }
    }

    private static Fields fields(ObjectNode node) {
        return new Fields(node, Code.WIRE_FIELD);
    }

    @Test
    void fieldsHaveTheirLengthsAndRanges() {
        Fields fields = fields(Json.object()
                .put("text", "abc")
                .put("empty", "")
                .put("number", 7)
                .put("real", 0.5)
                .put("late", 253_402_300_800L)
                .put("latest", 253_402_300_799L));
        assertThat(Verdict.of(() -> fields.text("text", 3)).isAccepted()).isTrue();
        assertThat(Verdict.of(() -> fields.text("text", 2)).isAccepted()).isFalse();
        assertThat(Verdict.of(() -> fields.text("empty", 2)).isAccepted()).isFalse();
        assertThat(Verdict.of(() -> fields.integer("number", 7, 7)).isAccepted())
                .isTrue();
        assertThat(Verdict.of(() -> fields.integer("number", 8, 9)).isAccepted())
                .isFalse();
        assertThat(Verdict.of(() -> fields.integer("number", 0, 6)).isAccepted())
                .isFalse();
        assertThat(Verdict.of(() -> fields.integer("real", 0)).isAccepted()).isFalse();
        assertThat(Verdict.of(() -> fields.numberOr("real", 0.5, 0.5, 0)).isAccepted())
                .isTrue();
        assertThat(Verdict.of(() -> fields.numberOr("real", 0, 0.4, 0)).isAccepted())
                .isFalse();
        assertThat(Verdict.of(() -> fields.numberOr("real", 0.6, 1, 0)).isAccepted())
                .isFalse();
        assertThat(Verdict.of(() -> fields.epochSeconds("latest")).isAccepted()).isTrue();
        assertThat(Verdict.of(() -> fields.epochSeconds("late")).isAccepted()).isFalse();
    }

    @Test
    void arraysHaveSoManyItemsAtMostAndObjectsNoOtherFields() {
        ObjectNode node = Json.object();
        node.putArray("items").add(1).add(2);
        Fields fields = fields(node);
        assertThat(Verdict.of(() -> fields.array("items", 2)).isAccepted()).isTrue();
        assertThat(Verdict.of(() -> fields.array("items", 1)).isAccepted()).isFalse();
        Verdict<Boolean> known = Verdict.of(() -> {
            fields.only(Set.of("items"));
            return true;
        });
        Verdict<Boolean> unknown = Verdict.of(() -> {
            fields.only(Set.of("others"));
            return true;
        });
        assertThat(known.isAccepted()).isTrue();
        assertThat(unknown.isAccepted()).isFalse();
    }

    @Test
    void namesHave64CharactersAndLeadNowhere() {
        assertThat(ModelName.isName("x".repeat(64))).isTrue();
        assertThat(ModelName.isName("x".repeat(65))).isFalse();
        for (String wrong : List.of("", ".", "..", "-a", "a/b", "a@1", "a\n", "a b", "+", "#")) {
            assertThat(ModelName.isName(wrong)).as(wrong).isFalse();
        }
    }

    @Test
    void textForPeopleIsCutAndSteersNoTerminal() {
        assertThat(PrintableText.of("abc", 3)).isEqualTo("abc");
        assertThat(PrintableText.of("abcd", 3)).isEqualTo("abc");
        assertThat(PrintableText.of("a\u001b[2J\u202eb\u2028c\u2029d\ue000", 64))
                .isEqualTo("a?[2J?b?c?d\ue000");
        assertThat(PrintableText.of("ab\ud83d\ude00", 3))
                .as("no half of a pair")
                .isEqualTo("ab");
    }

    /** RFC 6962: a leaf never passes for a node, and an odd leaf is not counted twice. */
    @Test
    void leavesAndNodesOfATreeAreToldApart() {
        Sha256 a = MerkleTree.leaf(new byte[] {1});
        Sha256 b = MerkleTree.leaf(new byte[] {2});
        Sha256 c = MerkleTree.leaf(new byte[] {3});
        assertThat(a).isEqualTo(Sha256.of(new byte[] {0, 1}));
        Sha256 ab = Sha256.of(new byte[] {1}, a.toArray(), b.toArray());
        assertThat(MerkleTree.root(List.of(a, b))).isEqualTo(ab);
        assertThat(MerkleTree.root(List.of(a, b, c)))
                .isEqualTo(Sha256.of(new byte[] {1}, ab.toArray(), c.toArray()))
                .isNotEqualTo(MerkleTree.root(List.of(a, b, c, c)));
        assertThat(MerkleTree.root(List.of())).isEqualTo(Sha256.of());
    }

    @Test
    void theHashOfAFileIsOverAllOfIt() throws Exception {
        byte[] bytes = new byte[200_000];
        new java.util.Random(1).nextBytes(bytes);
        Path file = java.nio.file.Files.write(java.nio.file.Files.createTempFile("limits", ""), bytes);
        try {
            assertThat(Sha256.ofFile(file)).isEqualTo(Sha256.of(bytes));
        } finally {
            java.nio.file.Files.delete(file);
        }
    }
}
