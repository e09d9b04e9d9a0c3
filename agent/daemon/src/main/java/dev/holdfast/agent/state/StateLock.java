package dev.holdfast.agent.state;

import dev.holdfast.storage.Disk;
import dev.holdfast.storage.DiskException;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who works with the state directory and the root of trust: the agent for its life, or one command while it makes or removes something. A
 * lock of the kernel's on a file, which ends with the process whatever ends that.
 */
public final class StateLock implements AutoCloseable {
    private static final String FILE = "agent.lock";
    private static final Set<OpenOption> OPTIONS =
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);

    private final FileChannel channel;

    private StateLock(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Takes the lock or refuses; does not wait.
     *
     * @throws TeeException {@code TEE-REFUSED} where somebody else has it
     * @throws DiskException where the disk does not take the file
     */
    public static StateLock take(Path stateDir) throws IOException, TeeException {
        Disk.LOCAL.createDirectories(stateDir);
        // Nobody reads the lock after a crash, so it needs no seam.
        FileChannel channel = open(stateDir.resolve(FILE));
        boolean taken = false;
        try {
            taken = lock(channel) != null;
        } finally {
            if (!taken) {
                channel.close();
            }
        }
        if (!taken) {
            throw new TeeException(
                    Code.TEE_REFUSED,
                    "the agent runs, or another command is at work in " + stateDir + ": systemctl stop holdfast first");
        }
        return new StateLock(channel);
    }

    private static FileChannel open(Path file) throws DiskException {
        try {
            return FileChannel.open(file, OPTIONS, Disk.Access.PRIVATE.ofFile());
        } catch (IOException e) {
            throw DiskException.of(file, e);
        }
    }

    private static @Nullable FileLock lock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            return null; // this process has it
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
