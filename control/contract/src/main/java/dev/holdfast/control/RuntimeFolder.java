package dev.holdfast.control;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;

/** Where programs that a person starts have their sockets and secrets: a folder that nobody else gets into. */
public final class RuntimeFolder {
    private static final String MODE = "rwx------";

    private RuntimeFolder() {}

    /**
     * The folder of this user, made where it is not there: {@code holdfast} below {@code XDG_RUNTIME_DIR}, and without that
     * {@code holdfast-USER} in the folder for temporary files.
     *
     * @param option which names another place, for the message
     * @throws RejectedException {@code API-FORBIDDEN} where others have a folder of this name, or get into it
     */
    public static Path own(String option) throws IOException, RejectedException {
        String runtime = System.getenv("XDG_RUNTIME_DIR");
        Path folder = runtime != null && Path.of(runtime).isAbsolute() && Files.isDirectory(Path.of(runtime))
                ? Path.of(runtime, "holdfast")
                : Path.of(System.getProperty("java.io.tmpdir"), "holdfast-" + System.getProperty("user.name"));
        if (Files.notExists(folder, LinkOption.NOFOLLOW_LINKS)) {
            Files.createDirectory(folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(MODE)));
        }
        // Others may write to the folder for temporary files: what is there under this name may be theirs.
        PosixFileAttributes found = Files.readAttributes(folder, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        boolean ours = found.isDirectory()
                && found.owner().getName().equals(System.getProperty("user.name"))
                && found.permissions().equals(PosixFilePermissions.fromString(MODE));
        if (!ours) {
            throw new RejectedException(
                    Code.API_FORBIDDEN,
                    folder + " is not a folder of this user alone (0700); remove it, or name another with " + option);
        }
        return folder;
    }
}
