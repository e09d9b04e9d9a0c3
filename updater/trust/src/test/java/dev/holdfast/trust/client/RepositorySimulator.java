package dev.holdfast.trust.client;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.DirectorOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.trust.signing.SignedMetadata;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/** A publisher and a Director in memory that can be told to lie. Keys are shared by all tests: they cost time. */
public final class RepositorySimulator implements MetadataSource {
    public static final Instant NOW = Instant.parse("2026-11-24T12:00:00Z");
    public static final Instant LATER = NOW.plus(Duration.ofDays(30));
    public static final RoleSigner OFFLINE = keys(KeyKind.ED25519, KeyKind.ML_DSA_65, KeyKind.ECDSA_P256);
    public static final RoleSigner SNAPSHOT = keys(KeyKind.ED25519, KeyKind.ML_DSA_44);
    public static final RoleSigner TIMESTAMP = keys(KeyKind.ED25519, KeyKind.ML_DSA_44);
    public static final RoleSigner DIRECTOR = keys(KeyKind.ED25519, KeyKind.ML_DSA_44);
    public static final RoleSigner OTHER = keys(KeyKind.ED25519, KeyKind.ML_DSA_44);
    public static final RoleSigner OTHER_OFFLINE = keys(KeyKind.ED25519, KeyKind.ML_DSA_65, KeyKind.ECDSA_P256);

    public final Map<String, byte[]> files = new HashMap<>();
    public final Map<String, TargetFile> targets = new LinkedHashMap<>();
    public RoleSigners roles = new RoleSigners(OFFLINE, OFFLINE, SNAPSHOT, TIMESTAMP, DIRECTOR);
    /** Who may withdraw; nobody where empty. */
    public Optional<RoleSigner> withdrawing = Optional.empty();

    public Revocations revocations = Revocations.NONE;
    public long revocationsVersion = 1;
    public long rootVersion;
    public long version;
    public long directorVersion = 1;
    public Instant expires = LATER;
    public Instant issued = NOW;
    public Optional<FamilyPolicy> families = Optional.empty();
    public Optional<List<TargetFile>> ordered = Optional.empty();
    /** What the order says of each model; where empty, each model among its targets at once, and the first is the default. */
    public Optional<SortedMap<String, ModelTerms>> terms = Optional.empty();

    public String device = "device-1";
    public UnaryOperator<ObjectNode> orderLie = order -> order;
    public boolean down;
    int fetches;

    public RepositorySimulator() {
        root(OFFLINE.keys());
        target("models/intent/1.0.0/model.gguf", 1);
        publish();
    }

    static RoleSigner keys(KeyKind... kinds) {
        List<SigningKey> keys = new ArrayList<>();
        for (KeyKind kind : kinds) {
            keys.add(SigningKey.generate(kind));
        }
        return new RoleSigner(keys, kinds.length);
    }

    public byte[] file(String name) {
        return Objects.requireNonNull(files.get(name));
    }

    /** A target block as the fleet writes it. */
    public static ObjectNode modelCustom(String versionText, long release, long epoch, BlockTree blocks) {
        return modelCustom("intent", versionText, release, epoch, blocks);
    }

    /** The same of any model. */
    public static ObjectNode modelCustom(String model, String versionText, long release, long epoch, BlockTree blocks) {
        ObjectNode template = Json.object();
        template.putArray("stop").add("</s>");
        String path = "models/" + model + "/" + versionText + "/model.gguf";
        TargetFile file = new TargetFile(path, 0, blocks.root(), Json.object());
        return new ModelTarget(
                        file,
                        blocks,
                        model,
                        versionText,
                        release,
                        epoch,
                        template,
                        Json.object().put("minPassRatio", 0.9).put("maxLoadMillis", 20000),
                        "0.1.0",
                        0,
                        List.of())
                .toCustom();
    }

    public TargetFile target(String path, long epoch) {
        return target("intent", path, epoch);
    }

    /** Lists a release of any model; {@link #publish} makes it visible. */
    public TargetFile target(String model, String path, long epoch) {
        Sha256 hash = Sha256.of(path.getBytes(java.nio.charset.StandardCharsets.UTF_8));
        ObjectNode custom = modelCustom(model, "1.0.0", 1, epoch, new BlockTree(32768, hash));
        TargetFile file = new TargetFile(path, 100_000, hash, custom);
        targets.put(path, file);
        return file;
    }

    public void root(List<SigningKey> signers) {
        rootVersion++;
        ObjectNode root = RootDocument.signedPart(rootVersion, LATER, roles.roles());
        families.ifPresent(policy -> policy.into(root));
        withdrawing.ifPresent(signer -> RootDocument.nameRevocations(root, signer.role()));
        files.put(rootVersion + ".root.json", SignedMetadata.sign(root, signers));
    }

    /** Publishes one more version of targets, snapshot and timestamp. */
    public void publish() {
        publish(version + 1);
    }

    public void publish(long next) {
        version = next;
        byte[] list = SignedMetadata.sign(
                TargetsRole.signedPart(version, expires, targets.values()),
                roles.targets().keys());
        SortedMap<String, Meta> listed = new TreeMap<>(Map.of("targets.json", Meta.of(version, list)));
        withdrawing.ifPresent(signer -> {
            byte[] file = signer.sign(revocations.signedPart(revocationsVersion, expires));
            listed.put("revocations.json", Meta.of(revocationsVersion, file));
            files.put(revocationsVersion + ".revocations.json", file);
        });
        byte[] snapshot = SignedMetadata.sign(
                Meta.snapshot(version, expires, listed), roles.snapshot().keys());
        byte[] timestamp = SignedMetadata.sign(
                Meta.timestamp(version, expires, Meta.of(version, snapshot)),
                roles.timestamp().keys());
        files.put(version + ".targets.json", list);
        files.put(version + ".snapshot.json", snapshot);
        files.put("timestamp.json", timestamp);
    }

    /** Signs another document in place of a file. */
    public void replace(String name, ObjectNode signed, List<SigningKey> signers) {
        files.put(name, SignedMetadata.sign(signed, signers));
    }

    @Override
    public Optional<byte[]> fetch(String fileName, int maxBytes) throws IOException {
        fetches++;
        if (down) {
            throw new IOException("no answer");
        }
        return Optional.ofNullable(files.get(fileName));
    }

    @Override
    public Optional<byte[]> directorOrder(byte[] nonce) {
        List<TargetFile> files = ordered.orElse(List.copyOf(targets.values()));
        ObjectNode order = DirectorOrder.answering(
                        Binary.copyOf(nonce),
                        device,
                        directorVersion,
                        issued,
                        expires,
                        files,
                        terms.orElseGet(() -> termsOf(files)))
                .signedPart();
        return Optional.of(
                SignedMetadata.sign(orderLie.apply(order), roles.director().keys()));
    }

    private static SortedMap<String, ModelTerms> termsOf(List<TargetFile> files) {
        SortedMap<String, ModelTerms> named = new TreeMap<>();
        for (TargetFile file : files) {
            if (ModelTarget.is(file)) {
                String model = file.custom().path("model").asText();
                named.put(model, new ModelTerms(file.path(), named.isEmpty(), Optional.empty()));
            }
        }
        return named;
    }

    /** Bytes of a model that no compressor shortens. */
    public static byte[] model(int seed) {
        byte[] bytes = new byte[150_000];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }
}
