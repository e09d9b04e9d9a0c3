package dev.holdfast.trust.client;

import dev.holdfast.storage.Disk;
import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.trust.schema.SoftwareVerifier;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Optional;

/**
 * A client of any TUF repository on an HTTP server, without a TEE and without a Director: the workflow of devices over another
 * transport, for machines of operators and for conformance tests. The root that is in its directory is trusted. Belongs to one
 * thread.
 */
public final class RepositoryClient {
    private static final AnchorVerifier SOFTWARE = new SoftwareVerifier();

    private final HttpRepository repository;
    private final TufClient client;
    private final Clock clock;
    private final Disk disk;

    private RepositoryClient(HttpRepository repository, TufClient client, Clock clock, Disk disk) {
        this.repository = repository;
        this.client = client;
        this.clock = clock;
        this.disk = disk;
    }

    /** Lays {@code root} down as the trusted one. */
    public static void initialize(Path directory, Path root) throws IOException {
        Disk.LOCAL.createDirectories(directory);
        Disk.LOCAL.replace(directory.resolve("root.json"), Files.readAllBytes(root));
    }

    /** Opens a directory that {@link #initialize} made; {@code UPD-*} where its root does not verify itself. */
    public static Verdict<RepositoryClient> open(Path directory, HttpRepository repository, Clock clock)
            throws IOException {
        return open(directory, repository, clock, Disk.LOCAL);
    }

    static Verdict<RepositoryClient> open(Path directory, HttpRepository repository, Clock clock, Disk disk)
            throws IOException {
        try {
            RootFile root = RootFile.load(directory.resolve("root.json"), disk, SOFTWARE);
            TufClient client = new TufClient(directory, disk, root, SeenVersions.NONE, SOFTWARE);
            return Verdict.accepted(new RepositoryClient(repository, client, clock, disk));
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
    }

    /** Brings metadata up to date. */
    public Verdict<TrustedTargets> refresh() throws IOException {
        try {
            client.refresh(clock.instant(), repository);
            return Verdict.accepted(client.targets());
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
    }

    /** Finds a target, through delegations too; empty where no role that may lists it. Refresh first. */
    public Verdict<Optional<TargetFile>> find(String path) throws IOException {
        try {
            return Verdict.accepted(client.find(path));
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
    }

    /**
     * Streams a target to {@code file}, which then holds the listed bytes or what it held before. A file that holds them already is
     * left alone; a download that was cut off goes on, in this process or the next.
     *
     * @param base URL of the directory of targets
     */
    public Verdict<Path> download(TargetFile target, String base, Path file) throws IOException {
        if (HttpDownload.holds(file, target)) {
            return Verdict.accepted(file);
        }
        int slash = target.path().lastIndexOf('/') + 1;
        String name = client.consistentSnapshot()
                ? target.path().substring(0, slash) + target.hashes().hex() + "."
                        + target.path().substring(slash)
                : target.path();
        URI uri = URI.create((base.endsWith("/") ? base : base + "/") + TufClient.quotedPath(name));
        return new HttpDownload(repository, uri, target, file, disk).run();
    }
}
