package dev.holdfast.engine;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufReader;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;

/**
 * A model file in memory, read-only. Closing it unmaps the file; whoever still reads it then gets an exception, not
 * another file's bytes.
 */
public final class MappedModel implements AutoCloseable {
    /** Hashing in pieces of this size keeps the hash function's compiled loop in use. */
    private static final int HASH_BYTES = 64 * 1024;

    private final Arena arena;
    private final MemorySegment bytes;

    private MappedModel(Arena arena, MemorySegment bytes) {
        this.arena = arena;
        this.bytes = bytes;
    }

    public static Verdict<MappedModel> map(Path path) {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return Verdict.accepted(new MappedModel(arena, bytes));
        } catch (IOException e) {
            arena.close();
            // The JDK tells a kernel that has no room for the mapping by this cause.
            Code code = e.getCause() instanceof OutOfMemoryError ? Code.INS_MEMORY : Code.INS_STORAGE;
            return Verdict.rejected(code, "cannot map the model file: " + FailureText.of(e));
        }
    }

    public MemorySegment bytes() {
        return bytes;
    }

    /** SHA-256 of the bytes as mapped: of what will be served, not of what a path names. */
    public Sha256 digest() {
        MessageDigest digest = Sha256.newDigest();
        for (long at = 0; at < bytes.byteSize(); at += HASH_BYTES) {
            digest.update(bytes.asSlice(at, Math.min(HASH_BYTES, bytes.byteSize() - at))
                    .asByteBuffer());
        }
        return Sha256.finish(digest);
    }

    public Verdict<GgufFile> head() {
        return GgufReader.read(bytes);
    }

    @Override
    public void close() {
        arena.close();
    }
}
