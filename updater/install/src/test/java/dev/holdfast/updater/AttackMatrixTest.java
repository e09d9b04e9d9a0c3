package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpServer;
import dev.holdfast.trust.client.FakeTee;
import dev.holdfast.trust.client.HttpRepository;
import dev.holdfast.trust.client.MetadataSource;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.client.TufClient;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.release.Order;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.KeyFamily;
import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.trust.signing.SignedMetadata;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every attack on trust, each on a device of its own. One is survived when the device refuses with the code that names it, and takes
 * an order of the honest fleet afterwards with what the attack left on its disk.
 */
class AttackMatrixTest {
    private static final Duration YEAR = Duration.ofDays(365);
    private static final AtomicInteger TRIED = new AtomicInteger();
    private static final AtomicInteger SURVIVED = new AtomicInteger();

    @TempDir
    Path dir;

    /** A device and its fleet. */
    private static final class World {
        final Path dir;
        final RepositorySimulator repo = new RepositorySimulator();
        final FakeTee tee = new FakeTee();
        Instant now = RepositorySimulator.NOW;
        MetadataSource source = repo;

        World(Path dir) throws Exception {
            this.dir = dir;
            repo.families = Optional.of(new FamilyPolicy(1, 1));
            repo.rootVersion = 0;
            repo.root(RepositorySimulator.OFFLINE.keys());
            provision();
        }

        void provision() throws Exception {
            byte[] factory = repo.file("1.root.json");
            Files.write(dir.resolve("factory.json"), factory);
            tee.provision(dir.resolve("state"), dir.resolve("factory.json"));
        }

        /** The device after a restart. */
        TrustClient client() throws Exception {
            Clock clock = Clock.fixed(now, ZoneOffset.UTC);
            return TrustClient.start(dir.resolve("state"), dir.resolve("factory.json"), tee.anchors(), source, clock)
                    .orThrow();
        }

        Verdict<Order> order() throws Exception {
            return client().order("device-1");
        }

        void settle() throws Exception {
            order().orThrow();
        }

        void refused(Code code) throws Exception {
            assertThat(order())
                    .isInstanceOfSatisfying(
                            Verdict.Rejected.class,
                            rejected -> assertThat(rejected.reason().code())
                                    .as(rejected.reason().toString())
                                    .isEqualTo(code));
        }

        /** What whoever holds the online keys of both families can sign. */
        void forgeSnapshot(long version, long targetsVersion, byte[] targets) {
            byte[] snapshot = SignedMetadata.sign(
                    Meta.snapshot(version, RepositorySimulator.LATER, Meta.of(targetsVersion, targets)),
                    repo.roles.snapshot().keys());
            repo.files.put(version + ".snapshot.json", snapshot);
            forgeTimestamp(version, version, snapshot);
        }

        void forgeTimestamp(long version, long snapshotVersion, byte[] snapshot) {
            repo.replace(
                    "timestamp.json",
                    Meta.timestamp(version, RepositorySimulator.LATER, Meta.of(snapshotVersion, snapshot)),
                    repo.roles.timestamp().keys());
        }

        void rotate(RoleSigner timestamp, RoleSigner director) {
            repo.roles = new RoleSigners(
                    RepositorySimulator.OFFLINE,
                    RepositorySimulator.OFFLINE,
                    RepositorySimulator.SNAPSHOT,
                    timestamp,
                    director);
            repo.root(RepositorySimulator.OFFLINE.keys());
        }
    }

    private interface Act {
        void on(World world) throws Exception;
    }

    private record Attack(String name, Act act) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static Attack attack(String name, Act act) {
        return new Attack(name, act);
    }

    static Stream<Attack> attacks() {
        List<Attack> all = new ArrayList<>();
        all.addAll(oldThings());
        all.addAll(floods());
        all.addAll(strangers());
        all.addAll(clocks());
        all.addAll(sets());
        all.addAll(epochs());
        all.addAll(families());
        return all.stream();
    }

    private static List<Attack> oldThings() {
        return List.of(
                attack("rollback of the timestamp", world -> {
                    byte[] old = world.repo.file("timestamp.json");
                    world.repo.publish();
                    world.settle();
                    world.repo.files.put("timestamp.json", old);
                    world.refused(Code.UPD_ROLLBACK);
                }),
                attack("rollback of the timestamp after the metadata on the disk was wiped", world -> {
                    byte[] old = world.repo.file("timestamp.json");
                    world.repo.publish();
                    world.settle();
                    for (String name : List.of("timestamp", "snapshot", "targets")) {
                        Files.delete(world.dir.resolve("state/metadata").resolve(name + ".json"));
                    }
                    world.repo.files.put("timestamp.json", old);
                    world.refused(Code.UPD_ROLLBACK);
                }),
                attack("rollback of the snapshot under a stolen timestamp key", world -> {
                    byte[] old = world.repo.file("1.snapshot.json");
                    world.repo.publish();
                    world.settle();
                    world.forgeTimestamp(3, 1, old);
                    world.refused(Code.UPD_ROLLBACK);
                    world.repo.version = 3;
                }),
                attack("rollback of targets under stolen online keys", world -> {
                    byte[] old = world.repo.file("1.targets.json");
                    world.repo.publish();
                    world.settle();
                    world.forgeSnapshot(3, 1, old);
                    world.refused(Code.UPD_ROLLBACK);
                    world.repo.version = 3;
                }),
                attack("rollback of the Director's order", world -> {
                    world.repo.directorVersion = 5;
                    world.settle();
                    world.repo.directorVersion = 4;
                    world.refused(Code.UPD_ROLLBACK);
                    world.repo.directorVersion = 5;
                }),
                attack("replay of the Director's order", world -> {
                    world.repo.orderLie = order -> order.put("nonce", "00".repeat(32));
                    world.refused(Code.UPD_DIRECTOR_NONCE);
                }),
                attack("freeze", world -> {
                    world.repo.expires = world.now.plus(Duration.ofDays(1));
                    world.repo.publish();
                    world.settle();
                    world.now = world.now.plus(Duration.ofDays(2));
                    world.refused(Code.UPD_EXPIRED);
                }),
                attack("fast-forward, until keys are rotated", world -> {
                    world.repo.publish(1_000_000);
                    world.settle();
                    world.repo.publish(2);
                    world.refused(Code.UPD_ROLLBACK);
                    world.rotate(RepositorySimulator.OTHER, RepositorySimulator.DIRECTOR);
                }),
                attack("mix-and-match of targets", world -> {
                    byte[] old = world.repo.file("1.targets.json");
                    world.repo.publish();
                    world.repo.files.put("2.targets.json", old);
                    world.refused(Code.UPD_MISMATCH);
                }),
                attack("mix-and-match of snapshots", world -> {
                    byte[] old = world.repo.file("1.snapshot.json");
                    world.repo.publish();
                    world.repo.files.put("2.snapshot.json", old);
                    world.refused(Code.UPD_MISMATCH);
                }),
                attack("expired order", world -> {
                    world.repo.orderLie = order -> order.put("expires", "2026-11-24T11:59:59Z");
                    world.refused(Code.UPD_EXPIRED);
                }));
    }

    private static List<Attack> floods() {
        return List.of(
                attack(
                        "endless data over HTTP",
                        world -> hostile(
                                world,
                                out -> {
                                    while (true) {
                                        out.write(new byte[64 * 1024]);
                                    }
                                },
                                Duration.ofSeconds(60))),
                attack(
                        "slow retrieval: a byte now and then",
                        world -> hostile(
                                world,
                                out -> {
                                    while (true) {
                                        out.write(' ');
                                        out.flush();
                                        LockSupport.parkNanos(20_000_000);
                                    }
                                },
                                Duration.ofMillis(500))),
                attack(
                        "slow retrieval: a head, and then silence",
                        world -> hostile(
                                world,
                                out -> {
                                    out.write(' ');
                                    out.flush();
                                    LockSupport.parkNanos(Duration.ofSeconds(5).toNanos());
                                },
                                Duration.ofMillis(500))),
                attack("a file longer than a source may return", world -> {
                    byte[] honest = world.repo.file("timestamp.json");
                    world.repo.files.put("timestamp.json", new byte[TufClient.MAX_TIMESTAMP_BYTES + 1]);
                    assertThat(world.order().isAccepted()).isFalse();
                    world.repo.files.put("timestamp.json", honest);
                }));
    }

    private interface Body {
        void write(OutputStream out) throws IOException;
    }

    private static void hostile(World world, Body body, Duration patience) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, 0);
            try (OutputStream out = exchange.getResponseBody()) {
                body.write(out);
            } catch (IOException e) {
                // The device hung up.
            }
        });
        server.start();
        try {
            world.source =
                    new HttpRepository("http://127.0.0.1:" + server.getAddress().getPort(), patience);
            long started = System.nanoTime();
            world.refused(Code.LNK_TIMEOUT);
            assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(Duration.ofSeconds(4));
        } finally {
            server.stop(0);
            world.source = world.repo;
        }
    }

    private static List<Attack> strangers() {
        return List.of(
                attack("order for another device", world -> {
                    world.repo.device = "device-2";
                    world.refused(Code.UPD_DIRECTOR_DEVICE);
                    world.repo.device = "device-1";
                }),
                attack("stolen Director key orders what is not published", world -> {
                    RepositorySimulator other = new RepositorySimulator();
                    world.repo.ordered = Optional.of(List.of(other.target("models/evil/1.0.0/model.gguf", 1)));
                    world.refused(Code.UPD_TARGET_UNKNOWN);
                }),
                attack("stolen Director key changes the custom block", world -> {
                    TargetFile listed = world.repo.targets.values().iterator().next();
                    ObjectNode custom = listed.custom().deepCopy();
                    world.repo.ordered = Optional.of(List.of(
                            new TargetFile(listed.path(), listed.length(), listed.sha256(), custom.put("epoch", 2))));
                    world.refused(Code.UPD_DIRECTOR_DISAGREES);
                }),
                attack("revoked timestamp key", world -> {
                    world.settle();
                    world.rotate(RepositorySimulator.OTHER, RepositorySimulator.DIRECTOR);
                    world.refused(Code.UPD_SIGNATURE);
                }),
                attack("revoked Director key", world -> {
                    world.settle();
                    world.rotate(RepositorySimulator.TIMESTAMP, RepositorySimulator.OTHER);
                    world.repo.roles = new RoleSigners(
                            RepositorySimulator.OFFLINE,
                            RepositorySimulator.OFFLINE,
                            RepositorySimulator.SNAPSHOT,
                            RepositorySimulator.TIMESTAMP,
                            RepositorySimulator.DIRECTOR);
                    world.refused(Code.UPD_SIGNATURE);
                    world.rotate(RepositorySimulator.TIMESTAMP, RepositorySimulator.OTHER);
                }),
                attack("a root that only its own keys sign", world -> {
                    world.repo.roles = new RoleSigners(
                            RepositorySimulator.OTHER_OFFLINE,
                            RepositorySimulator.OTHER_OFFLINE,
                            RepositorySimulator.OTHER,
                            RepositorySimulator.OTHER,
                            RepositorySimulator.OTHER);
                    world.repo.root(RepositorySimulator.OTHER_OFFLINE.keys());
                    world.refused(Code.UPD_SIGNATURE);
                    world.repo.files.remove("2.root.json");
                    world.repo.roles = new RepositorySimulator().roles;
                }));
    }

    private static List<Attack> clocks() {
        return List.of(
                attack("clock a year back: what expired stays expired", world -> {
                    world.repo.expires = world.now.plus(Duration.ofDays(1));
                    world.repo.publish();
                    world.settle();
                    world.now = world.now.plus(Duration.ofDays(2));
                    world.repo.issued = world.now;
                    byte[] frozen = world.repo.file("timestamp.json");
                    world.repo.expires = RepositorySimulator.LATER;
                    world.repo.publish(3);
                    world.settle();
                    world.now = world.now.minus(YEAR);
                    world.repo.files.put("timestamp.json", frozen);
                    world.refused(Code.UPD_ROLLBACK);
                    world.repo.expires = RepositorySimulator.NOW.plus(Duration.ofDays(1));
                    world.repo.publish(4);
                    world.refused(Code.UPD_EXPIRED);
                }),
                attack("clock a year ahead: refused, and not remembered", world -> {
                    world.settle();
                    world.now = world.now.plus(YEAR);
                    world.refused(Code.UPD_EXPIRED);
                    world.now = world.now.minus(YEAR);
                }),
                attack("stolen Director key sets the time to the year 2099", world -> {
                    world.repo.issued = Instant.parse("2099-01-01T00:00:00Z");
                    world.repo.orderLie = order -> order.put("expires", "2099-12-31T00:00:00Z");
                    assertThat(world.order().isAccepted())
                            .as("signed as it should be")
                            .isTrue();
                    world.repo.issued = world.now;
                }),
                attack("no clock at all", world -> {
                    world.settle();
                    world.now = Instant.EPOCH;
                }));
    }

    /** A stolen Director key can order what is listed, and never more than one device could mean. */
    private static List<Attack> sets() {
        return List.of(
                attack("stolen Director key lists one model under another's name", world -> {
                    TargetFile embed = world.repo.target("embed", "models/embed/1.0.0/model.gguf", 1);
                    world.repo.publish();
                    world.repo.ordered = Optional.of(List.of(embed));
                    world.repo.terms = Optional.of(
                            new TreeMap<>(Map.of("intent", new ModelTerms(embed.path(), true, Optional.empty()))));
                    world.refused(Code.UPD_FORMAT);
                    world.repo.terms = Optional.empty();
                    world.repo.targets.remove(embed.path());
                }),
                attack("stolen Director key names a target that it does not list", world -> {
                    world.repo.terms = Optional.of(new TreeMap<>(Map.of(
                            "intent", new ModelTerms("models/intent/9.9.9/model.gguf", true, Optional.empty()))));
                    world.refused(Code.UPD_FORMAT);
                    world.repo.terms = Optional.empty();
                }),
                attack("stolen Director key orders two defaults", world -> {
                    TargetFile embed = world.repo.target("embed", "models/embed/1.0.0/model.gguf", 1);
                    world.repo.publish();
                    String path = "models/intent/1.0.0/model.gguf";
                    world.repo.terms = Optional.of(new TreeMap<>(Map.of(
                            "intent", new ModelTerms(path, true, Optional.empty()),
                            "embed", new ModelTerms(embed.path(), true, Optional.empty()))));
                    world.refused(Code.UPD_FORMAT);
                    world.repo.terms = Optional.empty();
                    world.repo.targets.remove(embed.path());
                }),
                attack("stolen Director key claims that a wish is of an order to come", world -> {
                    String path = "models/intent/1.0.0/model.gguf";
                    world.repo.terms = Optional.of(
                            new TreeMap<>(Map.of("intent", new ModelTerms(path, true, Optional.empty()).since(99))));
                    world.refused(Code.UPD_FORMAT);
                    world.repo.terms = Optional.empty();
                }));
    }

    private static List<Attack> epochs() {
        return List.of(
                attack("signed downgrade below the epoch floor", world -> {
                    world.settle();
                    world.client().raiseEpochFloor("intent", 2).orThrow();
                    refusesTheEpoch(world, world.order().orThrow());
                    world.repo.targets.clear();
                    world.repo.target("models/intent/1.0.1/model.gguf", 2);
                }),
                attack("signed downgrade of one model while another's floor is low", world -> {
                    world.repo.target("embed", "models/embed/1.0.0/model.gguf", 1);
                    world.repo.publish();
                    world.settle();
                    world.client().raiseEpochFloor("intent", 5).orThrow();
                    world.client().raiseEpochFloor("embed", 1).orThrow();
                    refusesTheEpoch(world, world.order().orThrow());
                    world.repo.targets.clear();
                    world.repo.target("models/intent/1.0.1/model.gguf", 5);
                }),
                attack("floors put back with the disk", world -> {
                    world.settle();
                    byte[][] old = {record(world, 0), record(world, 1)};
                    world.client().raiseEpochFloor("intent", 3).orThrow();
                    for (int i = 0; i < 2; i++) {
                        Files.write(world.dir.resolve("state/state." + i + ".json"), old[i]);
                    }
                    assertThat(TrustClient.start(
                                    world.dir.resolve("state"),
                                    world.dir.resolve("factory.json"),
                                    world.tee.anchors(),
                                    world.source,
                                    Clock.fixed(world.now, ZoneOffset.UTC)))
                            .isInstanceOfSatisfying(
                                    Verdict.Rejected.class,
                                    r -> assertThat(r.reason().code()).isEqualTo(Code.TEE_ROLLBACK));
                    TrustClient.readmit(
                                    world.dir.resolve("state"), world.dir.resolve("factory.json"), world.tee.anchors())
                            .orThrow();
                }),
                attack("emergency re-release of old content above the floor is no attack", world -> {
                    world.settle();
                    TargetFile old = world.repo.targets.values().iterator().next();
                    world.client().raiseEpochFloor("intent", 2).orThrow();
                    ObjectNode custom = old.custom().deepCopy();
                    custom.put("version", "1.0.2").put("release", 3).put("epoch", 2);
                    String path = "models/intent/1.0.2/model.gguf";
                    world.repo.targets.clear();
                    world.repo.targets.put(path, new TargetFile(path, old.length(), old.sha256(), custom));
                    world.repo.publish();
                    Order order = world.order().orThrow();
                    assertThat(order.models().getFirst().model().file().sha256())
                            .isEqualTo(old.sha256());
                }));
    }

    private static byte[] record(World world, int number) throws IOException {
        return Files.readAllBytes(world.dir.resolve("state/state." + number + ".json"));
    }

    /** The installer asks before it fetches anything; a model whose own floor allows it is not held up. */
    private static void refusesTheEpoch(World world, Order order) throws Exception {
        InstallWorld device = new InstallWorld(Files.createDirectory(world.dir.resolve("device")));
        device.floors.putAll(world.client().epochFloors());
        for (ModelOrder model : order.models()) {
            Code expected = model.model().model().equals("intent") ? Code.UPD_EPOCH : Code.LNK_REFUSED;
            device.retryAfter = Optional.of(Duration.ZERO);
            assertThat(device.installer().install(model))
                    .satisfiesAnyOf(
                            outcome -> assertThat(outcome)
                                    .isInstanceOfSatisfying(
                                            InstallOutcome.Failed.class,
                                            failed -> assertThat(failed.reason().code())
                                                    .isEqualTo(expected)),
                            outcome -> assertThat(outcome)
                                    .isInstanceOfSatisfying(
                                            InstallOutcome.Interrupted.class,
                                            cut -> assertThat(cut.reason().code())
                                                    .isEqualTo(expected)));
        }
    }

    /** Whoever can forge every signature of one family. */
    private static List<Attack> families() {
        List<Attack> attacks = new ArrayList<>();
        for (KeyFamily broken : KeyFamily.values()) {
            attacks.add(attack("broken " + broken + ": forged timestamp", world -> {
                world.repo.publish();
                world.repo.replace(
                        "timestamp.json",
                        Meta.timestamp(2, RepositorySimulator.LATER, Meta.of(2, world.repo.file("2.snapshot.json"))),
                        of(broken, RepositorySimulator.TIMESTAMP.keys()));
                world.refused(Code.UPD_SIGNATURE);
            }));
            attacks.add(attack("broken " + broken + ": a root whose threshold that family meets alone", world -> {
                weakFactory(world);
                world.repo.root(of(broken, RepositorySimulator.OFFLINE.keys()));
                world.refused(Code.UPD_SIGNATURE);
                world.repo.files.remove("2.root.json");
                world.repo.rootVersion = 1;
            }));
            attacks.add(attack("broken " + broken + ": a later root that drops the policy drops nothing", world -> {
                weakFactory(world);
                world.repo.families = Optional.empty();
                world.repo.root(RepositorySimulator.OFFLINE.keys());
                world.settle();
                world.repo.publish();
                byte[] snapshot = world.repo.file(world.repo.version + ".snapshot.json");
                world.repo.replace(
                        "timestamp.json",
                        Meta.timestamp(
                                world.repo.version, RepositorySimulator.LATER, Meta.of(world.repo.version, snapshot)),
                        of(broken, RepositorySimulator.TIMESTAMP.keys()));
                world.refused(Code.UPD_SIGNATURE);
            }));
        }
        return attacks;
    }

    private static List<SigningKey> of(KeyFamily family, List<SigningKey> keys) {
        return keys.stream().filter(key -> key.kind().family() == family).toList();
    }

    /** A factory root whose thresholds are all 1: nothing but the pinned policy asks for both families. */
    private static void weakFactory(World world) throws Exception {
        world.repo.roles = new RoleSigners(
                weak(RepositorySimulator.OFFLINE),
                weak(RepositorySimulator.OFFLINE),
                weak(RepositorySimulator.SNAPSHOT),
                weak(RepositorySimulator.TIMESTAMP),
                weak(RepositorySimulator.DIRECTOR));
        world.repo.rootVersion = 0;
        world.repo.root(RepositorySimulator.OFFLINE.keys());
        world.provision();
    }

    private static RoleSigner weak(RoleSigner keys) {
        return new RoleSigner(keys.keys(), 1);
    }

    @ParameterizedTest
    @MethodSource("attacks")
    void isSurvived(Attack attack) throws Exception {
        TRIED.incrementAndGet();
        World world = new World(dir);
        attack.act.on(world);
        // The attacker is gone; the fleet publishes once more.
        world.repo.orderLie = order -> order;
        world.repo.ordered = Optional.empty();
        world.repo.expires = RepositorySimulator.LATER;
        world.repo.publish();
        assertThat(world.order().orThrow().device())
                .as("an order of the honest fleet")
                .isEqualTo("device-1");
        SURVIVED.incrementAndGet();
    }

    @ParameterizedTest
    @MethodSource("unreadablePolicies")
    void aPolicyThatIsNotUnderstoodFailsClosed(String policy) throws Exception {
        World world = new World(dir);
        ObjectNode root = RootDocument.signedPart(1, RepositorySimulator.LATER, world.repo.roles.roles());
        root.set(
                FamilyPolicy.FIELD,
                dev.holdfast.wire.Json.readObject(policy.getBytes(StandardCharsets.UTF_8), 1000)
                        .orThrow());
        world.repo.replace("1.root.json", root, RepositorySimulator.OFFLINE.keys());
        world.provision();
        Verdict<TrustClient> start = TrustClient.start(
                dir.resolve("state"),
                dir.resolve("factory.json"),
                world.tee.anchors(),
                world.repo,
                Clock.fixed(world.now, ZoneOffset.UTC));
        assertThat(start)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        rejected -> assertThat(rejected.reason().code()).isEqualTo(Code.UPD_FORMAT));
    }

    static List<String> unreadablePolicies() {
        return List.of(
                "{}",
                "{\"classical\":1}",
                "{\"classical\":1,\"lattice\":-1}",
                "{\"classical\":1,\"lattice\":65}",
                "{\"classical\":1,\"lattice\":\"1\"}",
                "{\"classical\":1,\"lattice\":1,\"isogeny\":1}");
    }

    @AfterAll
    static void counts() {
        System.out.println("attack matrix: tried " + TRIED + ", survived " + SURVIVED);
    }
}
