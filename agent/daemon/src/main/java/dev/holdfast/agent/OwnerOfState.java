package dev.holdfast.agent;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;

/** Commands run as root, the agent does not: what a command made in the state directory is given to the agent's user. */
final class OwnerOfState {
    private static final Path STORE = Path.of("store");

    private OwnerOfState() {}

    /** Gives everything beneath {@code stateDir} but the model store to the directory's owner and group. Nothing where that is so. */
    static void give(Path stateDir) throws IOException {
        PosixFileAttributes directory = attributes(stateDir);
        Files.walkFileTree(stateDir, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes found) throws IOException {
                if (stateDir.relativize(folder).equals(STORE)) {
                    return FileVisitResult.SKIP_SUBTREE;
                }
                give(folder, directory);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes found) throws IOException {
                give(file, directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    private static void give(Path file, PosixFileAttributes owner) throws IOException {
        if (!attributes(file).owner().equals(owner.owner())) {
            PosixFileAttributeView view =
                    Files.getFileAttributeView(file, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
            view.setGroup(owner.group());
            view.setOwner(owner.owner());
        }
    }

    private static PosixFileAttributes attributes(Path file) throws IOException {
        return Files.readAttributes(file, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    }
}
