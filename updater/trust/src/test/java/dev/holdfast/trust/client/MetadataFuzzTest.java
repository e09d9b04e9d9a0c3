package dev.holdfast.trust.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.DirectorOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.trust.schema.RoleName;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.JsonChanges;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Metadata, orders and signed blocks of any content are read or refused with a code; nothing else is thrown. */
class MetadataFuzzTest {
    private static final int MAX_BYTES = 1 << 20;
    private static final int MANY = 200_000;
    private static final int SOME = 1_000;
    private static final String[] TYPES = {"root", "targets", "snapshot", "timestamp", RootDocument.REVOCATIONS};

    @FuzzTest(maxDuration = "1m")
    void metadata(byte[] bytes) {
        isRead(bytes);
    }

    @FuzzTest(maxDuration = "1m")
    void custom(byte[] bytes) {
        block(bytes);
    }

    /** What somebody else may speak for is chosen by whoever delegates: names, keys, patterns and prefixes of any kind. */
    @FuzzTest(maxDuration = "1m")
    void delegations(byte[] bytes) {
        if (!(Json.read(bytes, MAX_BYTES) instanceof Verdict.Accepted<JsonNode>(JsonNode read))) {
            return;
        }
        ObjectNode signed = TargetsRole.signedPart(1, Instant.EPOCH, List.of());
        signed.set("delegations", read);
        Verdict<TargetsRole> role = Verdict.of(
                () -> TargetsRole.parse(Envelope.parse(Envelope.write(signed, Map.of()), "targets", 2 * MAX_BYTES)));
        if (role instanceof Verdict.Accepted<TargetsRole>(TargetsRole parsed)) {
            for (TargetsRole.Delegation each : parsed.delegations()) {
                assertThat(each.name()).isNotIn((Object[]) TYPES);
                assertThat(each.role().threshold()).isPositive();
                each.covers("models/intent/1.0.0/model.gguf");
                assertThat(RoleName.quoted(each.name())).doesNotContain("/").hasSizeLessThanOrEqualTo(200);
            }
        }
    }

    @FuzzTest(maxDuration = "1m")
    void order(byte[] bytes) {
        isOrder(bytes);
    }

    /** Whether it could be read; then each model is there with its target and one is the default. */
    private static boolean isOrder(byte[] bytes) {
        if (!(Verdict.of(() -> DirectorOrder.read(Envelope.parse(bytes, RootDocument.DIRECTOR, MAX_BYTES)))
                instanceof Verdict.Accepted<DirectorOrder>(DirectorOrder order))) {
            return false;
        }
        assertThat(order.models().size()).isLessThanOrEqualTo(ModelName.MAX_MODELS);
        order.models()
                .forEach((name, terms) -> assertThat(order.file(terms.target())).isPresent());
        assertThat(order.models().values().stream().filter(ModelTerms::byDefault))
                .hasSize(order.models().isEmpty() ? 0 : 1);
        return true;
    }

    /** Whether any role could be read. */
    private static boolean isRead(byte[] bytes) {
        boolean any = false;
        for (String type : TYPES) {
            try {
                Envelope envelope = Envelope.parse(bytes, type, MAX_BYTES);
                switch (type) {
                    case "root" -> RootDocument.parse(bytes);
                    case "targets" -> TargetsRole.parse(envelope);
                    case RootDocument.REVOCATIONS -> Revocations.parse(envelope);
                    default -> envelope.version();
                }
                any = true;
            } catch (RejectedException e) {
                assertThat(e.rejection().code()).isNotNull();
            }
        }
        return any;
    }

    private static boolean block(byte[] bytes) {
        if (!(Json.readObject(bytes, MAX_BYTES) instanceof Verdict.Accepted<?> read)) {
            return false;
        }
        JsonNode node = (JsonNode) read.value();
        TargetFile file = new TargetFile("models/m/1/model.gguf", 1000, Sha256.of(bytes), node);
        DeltaTarget.of(file);
        return ModelTarget.of(file).isAccepted();
    }

    @Test
    void someChangedFilesAreReadOrRefused() throws Exception {
        change(SOME, 20261125);
    }

    @Tag("soak")
    @Test
    void manyChangedFilesAreReadOrRefused() throws Exception {
        change(MANY, 1);
    }

    private void change(int count, long seed) throws Exception {
        RepositorySimulator repository = new RepositorySimulator();
        repository.withdrawing = Optional.of(RepositorySimulator.OTHER);
        repository.revocations =
                repository.revocations.with("models/intent/1.0.0/model.gguf", new Revocations.Withdrawal(1, "bad"));
        repository.root(RepositorySimulator.OFFLINE.keys());
        repository.publish();
        List<byte[]> files = new ArrayList<>();
        for (String name :
                new String[] {"2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json", "1.revocations.json"
                }) {
            files.add(repository.file(name));
        }
        ObjectNode custom =
                RepositorySimulator.modelCustom("1.0.0", 1, 1, new BlockTree(32768, Sha256.of(new byte[0])));
        byte[] order = orderOfTwo(repository);
        Random random = new Random(seed);
        int[] read = new int[3];
        for (int i = 0; i < count; i++) {
            read[0] += isRead(JsonChanges.changed(files.get(i % files.size()), random)) ? 1 : 0;
            read[1] += block(JsonChanges.changed(Json.write(custom), random)) ? 1 : 0;
            read[2] += isOrder(JsonChanges.changed(order, random)) ? 1 : 0;
        }
        System.out.printf(
                "%d changed files of each kind: metadata read %d, blocks %d, orders %d, the others refused%n",
                count, read[0], read[1], read[2]);
        // Neither all nor none: else the changes would be too small or too large to test anything.
        for (int n : read) {
            assertThat(n).isBetween(1, count - 1);
        }
    }

    /** Two models, one of them with all that an order may say of it. */
    private static byte[] orderOfTwo(RepositorySimulator repository) {
        String other = "models/embed/1.0.0/model.gguf";
        repository.target("embed", other, 1);
        String path = "models/intent/1.0.0/model.gguf";
        String old = "models/intent/0.9.0/model.gguf";
        repository.target("intent", old, 1);
        SortedMap<String, ModelTerms> terms = new TreeMap<>();
        terms.put("embed", new ModelTerms(other, true, Optional.empty()));
        terms.put(
                "intent",
                new ModelTerms(
                        path,
                        false,
                        1,
                        Optional.of(
                                new Rollout("r", RepositorySimulator.NOW, Duration.ofHours(1), Optional.empty(), 9)),
                        List.of(new ModelTerms.Grace(old, 9)),
                        Optional.of(other),
                        List.of(path),
                        Optional.of(Json.object().put("scheme", "x"))));
        repository.terms = Optional.of(terms);
        byte[] order =
                repository.directorOrder(new byte[DirectorOrder.NONCE_BYTES]).orElseThrow();
        assertThat(isOrder(order)).isTrue();
        return order;
    }
}
