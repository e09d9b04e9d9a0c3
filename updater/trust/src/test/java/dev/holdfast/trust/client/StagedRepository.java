package dev.holdfast.trust.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.trust.signing.SignedMetadata;
import dev.holdfast.trust.signing.SigningKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A repository that can serve what it served before. Signed once, since signatures cost more than all the rest of a trial.
 */
final class StagedRepository {
    static final String DEVICE = "device-1";

    /** Of each role the version; a newer root begins the others anew. */
    record Versions(long root, long timestamp, long snapshot, long targets, long director) {
        static final Versions NONE = new Versions(0, 0, 0, 0, 0);

        static Versions of(TrustState state) {
            return new Versions(
                    state.root().version(),
                    state.seen().timestamp(),
                    state.seen().snapshot(),
                    state.seen().targets(),
                    state.orders().of(DEVICE));
        }

        void requireNotBelow(Versions reported) {
            assertThat(root).as("root").isGreaterThanOrEqualTo(reported.root);
            if (root == reported.root) {
                assertThat(timestamp).as("timestamp").isGreaterThanOrEqualTo(reported.timestamp);
                assertThat(snapshot).as("snapshot").isGreaterThanOrEqualTo(reported.snapshot);
                assertThat(targets).as("targets").isGreaterThanOrEqualTo(reported.targets);
                assertThat(director).as("director").isGreaterThanOrEqualTo(reported.director);
            }
        }
    }

    /** What is served at one time. */
    record Stage(Map<String, byte[]> files, long director, RoleSigners roles, Versions versions) {}

    final RepositorySimulator repo = new RepositorySimulator();
    private long timestamp = 1;
    private Stage served = stage();

    /** What was published last, under a Director's order of its own. */
    Stage stage() {
        repo.directorVersion++;
        return new Stage(
                Map.copyOf(repo.files),
                repo.directorVersion,
                repo.roles,
                new Versions(repo.rootVersion, timestamp, repo.version, repo.version, repo.directorVersion));
    }

    void serve(Stage what) {
        served = what;
        repo.files.clear();
        repo.files.putAll(what.files);
        repo.directorVersion = what.director;
        repo.roles = what.roles;
    }

    Stage served() {
        return served;
    }

    void release(long version) {
        repo.publish(version);
        timestamp = version;
    }

    /** A later timestamp over the same snapshot. */
    void timestamp() {
        timestamp++;
        byte[] snapshot = repo.file(repo.version + ".snapshot.json");
        repo.files.put(
                "timestamp.json",
                SignedMetadata.sign(
                        Meta.timestamp(timestamp, repo.expires, Meta.of(repo.version, snapshot)),
                        repo.roles.timestamp().keys()));
    }

    /** Two roots, the second under other keys, and a release. */
    void newKeys() {
        repo.root(RepositorySimulator.OFFLINE.keys());
        repo.roles = new RoleSigners(
                RepositorySimulator.OTHER_OFFLINE,
                RepositorySimulator.OTHER_OFFLINE,
                RepositorySimulator.OTHER,
                RepositorySimulator.TIMESTAMP,
                RepositorySimulator.DIRECTOR);
        List<SigningKey> both = new ArrayList<>(RepositorySimulator.OFFLINE.keys());
        both.addAll(RepositorySimulator.OTHER_OFFLINE.keys());
        repo.root(both);
        release(repo.version + 1);
    }

    /** A root whose timestamp role has a key more, and a release; what the timestamp's old keys signed verifies still. */
    void oneKeyMoreForTheTimestamp(long version) {
        List<SigningKey> keys = new ArrayList<>(RepositorySimulator.TIMESTAMP.keys());
        keys.add(RepositorySimulator.OTHER.keys().getFirst());
        repo.roles = new RoleSigners(
                RepositorySimulator.OFFLINE,
                RepositorySimulator.OFFLINE,
                RepositorySimulator.SNAPSHOT,
                new RoleSigner(keys, RepositorySimulator.TIMESTAMP.threshold()),
                RepositorySimulator.DIRECTOR);
        repo.root(RepositorySimulator.OFFLINE.keys());
        release(version);
    }
}
