package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.SoftwareVerifier;
import dev.holdfast.trust.signing.RootSigning;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a fleet does once a release is withdrawn: it signs nothing about it any more, anywhere. */
class WithdrawTest {
    @TempDir
    Path dir;

    private FleetDirectory directory;
    private FleetRepository repository;
    private Sha256 second;

    @BeforeEach
    void publishTwo() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        repository = new FleetRepository(directory, Clock.systemUTC());
        assertThat(repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1")))
                .exists();
        SampleRelease.sign(repository, "chat", "1.0.0", new byte[100]);
        second = SampleRelease.sign(repository, "chat", "2.0.0", new byte[200]).digest();
        desire("2.0.0");
    }

    private void desire(String version) throws Exception {
        DesiredModels.add(repository, "cam-7", "chat", new DesiredModels.Wish(version, Optional.empty()), true);
    }

    private Envelope list(long version) throws Exception {
        return Envelope.parse(
                Files.readAllBytes(directory.metadata(version + ".revocations.json")),
                RootDocument.REVOCATIONS,
                Revocations.MAX_BYTES);
    }

    @Test
    void itIsSignedByTheRolesOwnKeysAndDevicesAreServedIt() throws Exception {
        assertThat(repository.withdraw("chat", "2.0.0", "bad answers")).isEqualTo("models/chat/2.0.0/model.gguf");
        RootDocument root = RootDocument.parse(Files.readAllBytes(directory.metadata("1.root.json")));
        list(2).requireThreshold(root.role(RootDocument.REVOCATIONS), FamilyPolicy.NONE, new SoftwareVerifier());
        assertThat(root.role(RootDocument.REVOCATIONS).threshold()).isEqualTo(2);
        assertThat(root.role(RootDocument.REVOCATIONS).keyIds())
                .doesNotContainAnyElementsOf(root.role("targets").keyIds());
        assertThat(Revocations.parse(list(2)).withdrawn()).containsOnlyKeys("models/chat/2.0.0/model.gguf");
        assertThat(repository.metadataFiles()).as("also in bundles").contains("2.revocations.json");
        repository.withdraw("chat", "2.0.0", "again");
        assertThat(directory.metadata("3.revocations.json"))
                .as("once is enough")
                .doesNotExist();
        repository.withdraw("chat", "1.0.0", "");
        assertThat(Revocations.parse(list(3)).withdrawn()).hasSize(2);
        SampleRelease.sign(repository, "chat", "3.0.0", new byte[300]);
        assertThat(repository.metadataFiles()).contains("3.revocations.json");
    }

    @Test
    void nothingIsSignedAboutItAnyMore() throws Exception {
        repository.withdraw("chat", "2.0.0", "");
        assertThatThrownBy(() -> desire("2.0.0")).hasMessageStartingWith("UPD-WITHDRAWN");
        assertThatThrownBy(() -> new Director(repository, FleetKeys.DIRECTOR.load(directory.keys()), Clock.systemUTC())
                        .order("cam-7", dev.holdfast.wire.Binary.copyOf(new byte[32])))
                .hasMessageStartingWith("UPD-WITHDRAWN");
        OfflinePack pack = new OfflinePack(List.of("cam-7"), OfflinePack.Content.FULL, Duration.ofDays(1));
        assertThatThrownBy(() -> pack.write(
                        repository,
                        FleetKeys.DIRECTOR.load(directory.keys()),
                        Clock.systemUTC(),
                        dir.resolve("stick.hfb")))
                .hasMessageStartingWith("UPD-WITHDRAWN");
        assertThat(dir.resolve("stick.hfb")).doesNotExist();
        desire("1.0.0");
        assertThat(pack.write(
                                repository,
                                FleetKeys.DIRECTOR.load(directory.keys()),
                                Clock.systemUTC(),
                                dir.resolve("stick.hfb"))
                        .orders())
                .containsKey("cam-7");
    }

    @Test
    void aVerifierKnowsIt() throws Exception {
        repository.withdraw("chat", "2.0.0", "");
        ReferenceModels references = repository.references();
        assertThat(references
                        .find("models/chat/2.0.0/model.gguf", second)
                        .orElseThrow()
                        .withdrawn())
                .isTrue();
        assertThat(references
                        .find("models/chat/1.0.0/model.gguf", Sha256.of(new byte[100]))
                        .orElseThrow()
                        .withdrawn())
                .isFalse();
    }

    @Test
    void whatIsNotPublishedOrNotSignedForIsRefused() throws Exception {
        assertThatThrownBy(() -> repository.withdraw("chat", "9", "")).hasMessageStartingWith("UPD-TARGET-UNKNOWN");
        Files.move(directory.keys().resolve("revocations-ml-dsa-65.pem"), dir.resolve("gone"));
        byte[] before = Files.readAllBytes(directory.metadata("timestamp.json"));
        assertThatThrownBy(() -> repository.withdraw("chat", "2.0.0", ""))
                .hasMessageStartingWith(
                        "FLT-KEYS: keys of the role revocations are missing: revocations-ml-dsa-65.pem");
        assertThat(Files.readAllBytes(directory.metadata("timestamp.json"))).isEqualTo(before);
    }

    /** After a root that gives the role other keys, the list is signed by those, and nothing of it is lost. */
    @Test
    void otherKeysSignTheSameList() throws Exception {
        repository.withdraw("chat", "2.0.0", "");
        RootFolder folder = new RootFolder(directory);
        byte[] draft = folder.draft(List.of(FleetKeys.REVOCATIONS), Instant.now());
        byte[] next = RootSigning.add(draft, FleetKeys.ROOT.loadPresent(directory.keys()));
        assertThat(folder.publish(next, repository)).isEqualTo(2);
        list(3).requireThreshold(
                        RootDocument.parse(next).role(RootDocument.REVOCATIONS),
                        FamilyPolicy.NONE,
                        new SoftwareVerifier());
        assertThat(Revocations.parse(list(3)).withdrawn()).containsOnlyKeys("models/chat/2.0.0/model.gguf");
    }
}
