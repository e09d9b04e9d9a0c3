package dev.holdfast.inference;

import dev.holdfast.control.RuntimeFolder;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;

/**
 * Where {@code holdfast standalone} has its sockets, and a store of one link to the model's file. Nobody but its user gets into either
 * folder that it makes. Closing removes the store.
 */
record StandaloneFolder(Path store, SocketPaths sockets) implements AutoCloseable {
    /** sun_path of struct sockaddr_un, unix(7), less its terminating zero, and less what a hidden name adds. */
    private static final int MAX_SOCKET_BYTES = 90;

    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

    /** @param asked where applications shall connect */
    static StandaloneFolder make(Optional<Path> asked) throws IOException, RejectedException {
        Path socket =
                asked.isPresent() ? asked.get() : RuntimeFolder.own("--socket").resolve("inference.sock");
        if (socket.toString().getBytes(StandardCharsets.UTF_8).length > MAX_SOCKET_BYTES) {
            throw new RejectedException(
                    Code.API_REQUEST, "the socket's path is longer than " + MAX_SOCKET_BYTES + " bytes: " + socket);
        }
        if (socket.getParent() == null || !Files.isDirectory(socket.getParent())) {
            throw new RejectedException(Code.API_REQUEST, "there is no folder for the socket " + socket);
        }
        Path store = Files.createTempDirectory("holdfast-", PRIVATE);
        Files.createDirectory(store.resolve("blobs"));
        String name = String.valueOf(socket.getFileName());
        String control = name.endsWith(".sock")
                ? name.substring(0, name.length() - ".sock".length()) + "-control.sock"
                : name + "-control";
        return new StandaloneFolder(
                store, new SocketPaths(store.resolve("none.sock"), socket, socket.resolveSibling(control)));
    }

    /** Puts the file into the store under its digest. */
    void link(Path file, Sha256 digest) throws IOException {
        Files.createSymbolicLink(store.resolve("blobs").resolve(digest.hex()), file.toRealPath());
    }

    @Override
    public void close() throws IOException {
        try (var links = Files.list(store.resolve("blobs"))) {
            for (Path link : links.toList()) {
                Files.delete(link);
            }
        }
        Files.delete(store.resolve("blobs"));
        Files.delete(store);
    }
}
