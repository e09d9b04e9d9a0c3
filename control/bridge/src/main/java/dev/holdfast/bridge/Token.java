package dev.holdfast.bridge;

import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What a request must carry as its bearer token (RFC 6750, section 2.1), which OpenAI's clients call the API key. Only its hash is in
 * memory. Thread-safe.
 */
final class Token {
    private static final int RANDOM_BYTES = 32;
    private static final int MAX_FILE_BYTES = 1024;
    private static final String SCHEME = "Bearer ";
    /** b64token of RFC 6750, of a length that nobody guesses. */
    private static final Pattern TEXT = Pattern.compile("[A-Za-z0-9._~+/-]{16,510}={0,2}");

    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    /** A group may read the file where an administrator gives it to one. */
    private static final Set<PosixFilePermission> TOO_OPEN = PosixFilePermissions.fromString("----wxrwx");

    private final byte[] hash;

    private Token(String text) {
        this.hash = hash(text);
    }

    /**
     * The token of a file; makes one where there is none.
     *
     * @throws RejectedException {@code CFG-INVALID} where the file holds no token, or others may read or write it
     */
    static Token at(Path file, SecureRandom random) throws IOException, RejectedException {
        if (Files.notExists(file, LinkOption.NOFOLLOW_LINKS)) {
            make(file, random);
        }
        PosixFileAttributes found = Files.readAttributes(file, PosixFileAttributes.class);
        if (!found.isRegularFile()) {
            throw ConfigFile.invalid(file + " is no file");
        }
        if (!Collections.disjoint(found.permissions(), TOO_OPEN)) {
            throw ConfigFile.invalid(file + " is open to others: run chmod 600 " + file);
        }
        try (InputStream in = Files.newInputStream(file)) {
            return read(in.readNBytes(MAX_FILE_BYTES + 1)).orThrow();
        }
    }

    private static void make(Path file, SecureRandom random) throws IOException {
        byte[] bytes = new byte[RANDOM_BYTES];
        random.nextBytes(bytes);
        String text = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes) + "\n";
        try (SeekableByteChannel out =
                Files.newByteChannel(file, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), PRIVATE)) {
            out.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)));
        } catch (FileAlreadyExistsException e) {
            // Another bridge was faster; its token counts.
        }
    }

    /** Reads what a file holds: the token, and space around it. */
    static Verdict<Token> read(byte[] file) {
        return Verdict.of(() -> {
            String text = new String(file, StandardCharsets.ISO_8859_1).strip();
            if (file.length > MAX_FILE_BYTES || !TEXT.matcher(text).matches()) {
                // Not quoted: it may be a secret all the same.
                throw ConfigFile.invalid(
                        "the token file must hold 16 to 512 letters, digits or . _ ~ + / - =, and nothing else");
            }
            return new Token(text);
        });
    }

    /** Whether the values of a request's header {@code Authorization} are this token and nothing else. */
    boolean isIn(List<String> authorization) {
        if (authorization.size() != 1) {
            return false;
        }
        String value = authorization.getFirst();
        return value.regionMatches(true, 0, SCHEME, 0, SCHEME.length())
                && MessageDigest.isEqual(hash, hash(value.substring(SCHEME.length())));
    }

    private static byte[] hash(String text) {
        return Sha256.of(text.getBytes(StandardCharsets.ISO_8859_1)).toArray();
    }
}
