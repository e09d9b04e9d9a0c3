package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The last message of an enrolment, which anybody can send: each thing that is wrong with it, alone. */
class WelcomeTest {
    @TempDir
    Path dir;

    private final Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);
    private final TestAuthority fleet = new TestAuthority(now.minusSeconds(60));
    private final TestAuthority namesake = new TestAuthority(now.minusSeconds(60));
    private SoftwareBridge bridge;
    private SoftwareBridge other;
    private DeviceEnrolment mine;

    @BeforeEach
    void open() throws Exception {
        bridge = SoftwareBridge.open(dir.resolve("tee"));
        other = SoftwareBridge.open(dir.resolve("other"));
        mine = new DeviceEnrolment(bridge, "device-1");
    }

    @AfterEach
    void close() throws Exception {
        bridge.close();
        other.close();
    }

    private DeviceEnrolment.Issued right() throws Exception {
        return fleet.issue("device-1", bridge, now);
    }

    private Verdict<DeviceEnrolment.Issued> complete(Binary attestation, Binary tls, Binary authority, Instant at) {
        return mine.complete(
                EnrolmentAuthority.welcome(new DeviceEnrolment.Issued(attestation, tls, authority)),
                Set.of(fleet.key()),
                at);
    }

    private static void assertRefused(Verdict<?> verdict, String why) {
        assertThat(verdict).isInstanceOfSatisfying(Verdict.Rejected.class, refused -> {
            assertThat(refused.reason().code()).isEqualTo(Code.ATT_CERTIFICATE);
            assertThat(refused.reason().detail()).contains(why);
        });
    }

    @Test
    void whatTheFleetIssuedIsTakenWithinItsDates() throws Exception {
        DeviceEnrolment.Issued issued = right();
        Instant end = now.plus(TestAuthority.LIFE);
        for (Instant good : new Instant[] {now, end.minusSeconds(1)}) {
            assertThat(complete(issued.attestation(), issued.tls(), issued.authority(), good))
                    .isEqualTo(Verdict.accepted(issued));
        }
        for (Instant wrong : new Instant[] {now.minusSeconds(1), end}) {
            assertRefused(complete(issued.attestation(), issued.tls(), issued.authority(), wrong), "valid from");
        }
    }

    @Test
    void anAuthorityThatTheRootDoesNotNameIsRefused() throws Exception {
        DeviceEnrolment.Issued theirs = namesake.issue("device-1", bridge, now);
        assertRefused(
                complete(theirs.attestation(), theirs.tls(), theirs.authority(), now),
                namesake.key() + " is not " + fleet.key());
        assertThat(mine.complete(EnrolmentAuthority.welcome(theirs), Set.of(), now)
                        .isAccepted())
                .as("where the root names nobody")
                .isTrue();
        assertThat(mine.complete(EnrolmentAuthority.welcome(theirs), Set.of(fleet.key(), Sha256.of()), now)
                        .isAccepted())
                .isFalse();
    }

    /** An authority of the same name, so that nothing but the signature tells them apart. */
    @Test
    void aCertificateThatItsAuthorityDidNotSignIsRefused() throws Exception {
        DeviceEnrolment.Issued issued = right();
        DeviceEnrolment.Issued theirs = namesake.issue("device-1", bridge, now);
        assertRefused(
                complete(issued.attestation(), theirs.tls(), issued.authority(), now), "TLS certificate is not signed");
        assertRefused(
                complete(theirs.attestation(), issued.tls(), issued.authority(), now),
                "attestation certificate is not signed");
    }

    @Test
    void aCertificateForAnotherKeyOrNameIsRefused() throws Exception {
        DeviceEnrolment.Issued issued = right();
        DeviceEnrolment.Issued otherKeys = fleet.issue("device-1", other, now);
        DeviceEnrolment.Issued otherName = fleet.issue("device-2", bridge, now);
        assertRefused(
                complete(issued.attestation(), otherKeys.tls(), issued.authority(), now),
                "the TLS certificate is for another key");
        assertRefused(
                complete(issued.attestation(), otherName.tls(), issued.authority(), now),
                "the TLS certificate is for another key");
        assertRefused(
                complete(otherKeys.attestation(), issued.tls(), issued.authority(), now),
                "the attestation certificate is for another key");
        assertRefused(
                complete(otherName.attestation(), issued.tls(), issued.authority(), now),
                "the attestation certificate is for another key");
    }

    @Test
    void aCertificateForAnotherPurposeIsRefused() throws Exception {
        DeviceEnrolment.Issued issued = right();
        assertRefused(complete(issued.tls(), issued.tls(), issued.authority(), now), "for another purpose");
        assertRefused(
                complete(issued.attestation(), issued.attestation(), issued.authority(), now), "for another purpose");
    }

    /** A device's certificate is no authority, though its key signs well. */
    @Test
    void whoMayIssueNothingIsNoAuthority() throws Exception {
        DeviceEnrolment.Issued issued = right();
        assertRefused(complete(issued.attestation(), issued.tls(), issued.tls(), now), "may issue nothing");
    }

    @Test
    void anEmptyAnswerAndBytesBehindACertificateAreRefused() throws Exception {
        DeviceEnrolment.Issued issued = right();
        assertRefused(mine.complete(new byte[0], Set.of(fleet.key()), now), "no certificates came");
        byte[] longer =
                java.util.Arrays.copyOf(issued.tls().toArray(), issued.tls().length() + 1);
        assertRefused(
                complete(issued.attestation(), Binary.copyOf(longer), issued.authority(), now), "bytes behind its end");
    }
}
