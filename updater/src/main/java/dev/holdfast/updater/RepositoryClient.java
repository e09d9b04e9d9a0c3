package dev.holdfast.updater;

import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.Signature;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;

/**
 * A client of any TUF repository on an HTTP server, without a TEE and without a Director: the workflow of devices over another
 * transport, for machines of operators and for conformance tests. The root that lies in its directory is trusted. Belongs to one
 * thread.
 */
public final class RepositoryClient {
    private static final int BUFFER_BYTES = 64 * 1024;
    static final AnchorVerifier SOFTWARE = (key, digest, p1363) -> {
        try {
            Signature check = Signature.getInstance("NONEwithECDSAinP1363Format");
            check.initVerify(key);
            check.update(digest.value().toArray());
            return check.verify(p1363);
        } catch (GeneralSecurityException e) {
            return false;
        }
    };

    private final HttpRepository repository;
    private final TufClient client;
    private final Clock clock;

    private RepositoryClient(HttpRepository repository, TufClient client, Clock clock) {
        this.repository = repository;
        this.client = client;
        this.clock = clock;
    }

    /** Lays {@code root} down as the trusted one. */
    public static void initialize(Path directory, Path root) throws IOException {
        Files.createDirectories(directory);
        Files.copy(root, directory.resolve("root.json"), StandardCopyOption.REPLACE_EXISTING);
    }

    /** Opens a directory that {@link #initialize} made; {@code UPD-*} where its root does not verify itself. */
    public static Verdict<RepositoryClient> open(Path directory, HttpRepository repository, Clock clock)
            throws IOException {
        try {
            RootFile root = RootFile.load(directory.resolve("root.json"), SOFTWARE);
            TufClient client = new TufClient(directory, root, SeenVersions.NONE, SOFTWARE);
            return Verdict.accepted(new RepositoryClient(repository, client, clock));
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
     * left alone.
     *
     * @param base URL of the directory of targets
     */
    public Verdict<Path> download(TargetFile target, String base, Path file) throws IOException {
        if (Files.isRegularFile(file) && Files.size(file) == target.length() && holds(file, target)) {
            return Verdict.accepted(file);
        }
        int slash = target.path().lastIndexOf('/') + 1;
        String name = client.consistentSnapshot()
                ? target.path().substring(0, slash) + target.hashes().hex() + "."
                        + target.path().substring(slash)
                : target.path();
        URI uri = URI.create((base.endsWith("/") ? base : base + "/") + TufClient.quotedPath(name));
        Path part = file.resolveSibling(file.getFileName() + DurableFiles.TEMPORARY);
        try {
            Verdict<Path> received = receive(repository.open(uri), target, part, repository.patience());
            if (received instanceof Verdict.Rejected<Path> rejected) {
                return rejected.as();
            }
            DurableFiles.move(part, file);
            return Verdict.accepted(file);
        } finally {
            Files.deleteIfExists(part);
        }
    }

    private static Verdict<Path> receive(
            HttpResponse<InputStream> response, TargetFile target, Path part, Duration patience) throws IOException {
        Hashes.Running hashes = new Hashes.Running();
        try (InputStream body = response.body();
                StallGuard guard = new StallGuard(body, patience);
                OutputStream out = Files.newOutputStream(part)) {
            if (response.statusCode() != 200) {
                return Verdict.rejected(Code.LNK_REFUSED, "status " + response.statusCode() + " of " + target.path());
            }
            byte[] buffer = new byte[BUFFER_BYTES];
            long left = target.length();
            // Full buffers: a server that trickles gets no more time for each byte.
            for (int read = body.readNBytes(buffer, 0, buffer.length);
                    read > 0;
                    read = body.readNBytes(buffer, 0, buffer.length)) {
                guard.check(target.path());
                guard.extend(patience);
                left -= read;
                if (left < 0) {
                    return Verdict.rejected(Code.UPD_MISMATCH, target.path() + " is longer than listed");
                }
                hashes.update(buffer, read);
                out.write(buffer, 0, read);
            }
            guard.check(target.path());
        }
        return hashes.match(target.hashes())
                ? Verdict.accepted(part)
                : Verdict.rejected(Code.UPD_MISMATCH, target.path() + " has another hash than listed");
    }

    private static boolean holds(Path file, TargetFile target) throws IOException {
        Hashes.Running hashes = new Hashes.Running();
        try (InputStream in = Files.newInputStream(file)) {
            byte[] buffer = new byte[BUFFER_BYTES];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                hashes.update(buffer, read);
            }
        }
        return hashes.match(target.hashes());
    }
}
