package dev.holdfast.fleet;

import dev.holdfast.trust.signing.Passphrase;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Where private keys are looked for: first among those that the service has, then in folders that a person names for one command.
 *
 * @param folders in the order of the search; at least one
 * @param passphrase of the keys that are encrypted
 */
public record KeyFolders(List<Path> folders, Passphrase passphrase) {
    public KeyFolders {
        folders = List.copyOf(folders);
        if (folders.isEmpty()) {
            throw new IllegalArgumentException("no folder");
        }
    }

    static KeyFolders of(Path folder) {
        return new KeyFolders(List.of(folder), Passphrase.NONE);
    }

    /** The same, and then {@code more}. */
    KeyFolders and(List<Path> more, Passphrase opening) {
        return new KeyFolders(Stream.concat(folders.stream(), more.stream()).toList(), opening);
    }

    /** The first file of this name. */
    Optional<Path> find(String name) {
        return folders.stream()
                .map(folder -> folder.resolve(name))
                .filter(Files::isRegularFile)
                .findFirst();
    }

    /** The folders, for a person. */
    @Override
    public String toString() {
        return folders.stream().map(Path::toString).collect(Collectors.joining(", "));
    }
}
