package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.tee.tpm.ByteChanges;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The kernel's list of measured files, in all of its templates. */
class ImaLogTest {
    /** Every local user can give a file a name with any byte but NUL and slash, and have it measured by opening it. */
    private static final String WITH_LINE_FEED = "/tmp/x\n10 " + "0".repeat(40) + " ima-ng sha256:00 /usr/bin/y";

    private static ImaListWriter kernel() {
        return new ImaListWriter()
                .file("boot_aggregate", Models.hash("boot"))
                .file("/usr/bin/holdfast", Models.hash("agent"))
                .entry(
                        10,
                        "ima-sig",
                        ImaListWriter.ng(Models.hash("lib")),
                        ImaListWriter.path("/usr/lib/x.so"),
                        new byte[0])
                .entry(
                        10,
                        "ima-sig",
                        ImaListWriter.ng(Models.hash("lib")),
                        ImaListWriter.path("/usr/lib/y.so"),
                        new byte[9])
                .old("/etc/passwd", new byte[20])
                .violation("/var/log/messages")
                .entry(
                        10,
                        "ima-buf",
                        ImaListWriter.ng(Models.hash("cmdline")),
                        ImaListWriter.path("kexec-cmdline"),
                        new byte[7]);
    }

    private static int prefix(ImaListWriter kernel) {
        return Models.accepted(ImaLog.prefix(kernel.list(), kernel.register()));
    }

    private static void assertRefused(Binary list) {
        assertThat(ImaLog.prefix(list, Models.hash("never").value()))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        rejected -> assertThat(rejected.reason().code()).isEqualTo(Code.ATT_PLATFORM));
    }

    @Test
    void everyTemplateOfTheKernelIsReplayed() {
        assertThat(prefix(kernel())).isEqualTo(7);
        assertThat(prefix(new ImaListWriter())).isZero();
    }

    @Test
    void aNameWithALineFeedIsANameLikeAnyOther() {
        assertThat(prefix(kernel().file(WITH_LINE_FEED, Models.hash("x")).file("/usr/bin/z", Models.hash("z"))))
                .isEqualTo(9);
        assertThat(prefix(kernel().old(WITH_LINE_FEED, new byte[20]))).isEqualTo(8);
    }

    /** What was wrong with the form that agents carried before: nobody could tell the name from two lines. */
    @Test
    void theTextFormOfEarlierAgentsIsReadStillAndHasThatFault() {
        ImaListWriter kernel = new ImaListWriter()
                .file("/usr/bin/holdfast", Models.hash("agent"))
                .file("/usr/bin/z", Models.hash("z"));
        String text = BootLogWriter.ima("/usr/bin/holdfast", Models.hash("agent"))
                + BootLogWriter.ima("/usr/bin/z", Models.hash("z"));
        assertThat(Models.accepted(ImaLog.prefix(text(text), kernel.register())))
                .isEqualTo(2);
        assertRefused(text(BootLogWriter.ima(WITH_LINE_FEED, Models.hash("x"))));
    }

    private static Binary text(String list) {
        return Binary.copyOf(list.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void aListThatWasReadAfterTheQuoteMayBeLonger() {
        Binary quoted = kernel().register();
        assertThat(Models.accepted(ImaLog.prefix(
                        kernel().file("/later", Models.hash("later")).list(), quoted)))
                .isEqualTo(7);
    }

    @Test
    void entriesOfOtherRegistersLeadElsewhere() {
        ImaListWriter kernel = kernel().entry(
                        11, "ima-ng", ImaListWriter.ng(Models.hash("policy")), ImaListWriter.path("/x"))
                .file("/usr/bin/z", Models.hash("z"));
        assertThat(prefix(kernel)).isEqualTo(9);
        assertRefused(new ImaListWriter()
                .entry(24, "ima-ng", ImaListWriter.ng(Models.hash("x")), ImaListWriter.path("/x"))
                .list());
    }

    @Test
    void aFormatOfOnesOwnIsReplayed() {
        assertThat(prefix(new ImaListWriter()
                        .entry(
                                10,
                                "d-ng|n-ng|iuid",
                                ImaListWriter.ng(Models.hash("x")),
                                ImaListWriter.path("/x"),
                                new byte[4])))
                .isEqualTo(1);
    }

    @Test
    void lengthsThatDoNotFitAreRefused() {
        byte[] digest = ImaListWriter.ng(Models.hash("x"));
        byte[] path = ImaListWriter.path("/x");
        for (byte[][] fields : new byte[][][] {
            {digest},
            {digest, path, path},
            {path, digest},
            {new byte[0], path},
            {digest, new byte[0]},
            {digest, "/no/end".getBytes(StandardCharsets.US_ASCII)},
            {digest, "/a\0b\0".getBytes(StandardCharsets.US_ASCII)},
            {"sha256\0x".getBytes(StandardCharsets.US_ASCII), path},
            {"sha256:\0".getBytes(StandardCharsets.US_ASCII), path}
        }) {
            assertRefused(new ImaListWriter().entry(10, "ima-ng", fields).list());
        }
        assertRefused(
                new ImaListWriter().old("/" + "x".repeat(255), new byte[20]).list());
        assertRefused(
                new ImaListWriter().entry(10, "t".repeat(65), digest, path).list());
        byte[][] many = IntStream.range(0, 17).mapToObj(i -> path).toArray(byte[][]::new);
        assertRefused(new ImaListWriter().entry(10, "own", many).list());
    }

    @Test
    void aListThatIsCutAnywhereLeadsNoFurtherThanItsWholeEntries() {
        byte[] whole = kernel().list().toArray();
        Binary end = kernel().register();
        for (int length = 0; length < whole.length; length++) {
            assertThat(ImaLog.prefix(Binary.copyOf(Arrays.copyOf(whole, length)), end)
                            .isAccepted())
                    .as(length + " bytes")
                    .isFalse();
        }
    }

    @Test
    void mutatedListsNeverThrowAndNeverReplayAlike() {
        byte[] good = kernel().list().toArray();
        Binary register = kernel().register();
        BitSet covered = kernel().covered();
        Random random = new Random(20);
        int alike = 0;
        for (int i = 0; i < 50_000; i++) {
            byte[] odd = ByteChanges.change(good, random);
            if (ImaLog.prefix(Binary.copyOf(odd), register).isAccepted()) {
                alike++;
                assertThat(odd).hasSizeGreaterThanOrEqualTo(good.length);
                for (int at = 0; at < good.length; at++) {
                    assertThat(odd[at] == good[at] || !covered.get(at))
                            .as("byte " + at)
                            .isTrue();
                }
            }
        }
        System.out.println(alike + " of 50000 changed lists lead to the same register");
        assertThat(alike).isBetween(1, 49_999);
    }
}
