package dev.holdfast.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A disk that numbers every operation, ends the process around one of them, and knows what was forced.
 *
 * <p>The files are real; beside them stands a model of the platter: per file the bytes of its last fsync, per directory
 * the names of its last fsync. {@link #cutPower} puts the files back to what a power cut may leave. A rename between two
 * directories is two changes here, a link and an unlink, each durable with its own directory: the worst that POSIX allows.
 */
public final class CrashDisk implements Disk {
    /** The process ends here, as by kill -9. */
    public static final class Killed extends Error {
        private static final long serialVersionUID = 1L;
    }

    /** When the process ends. */
    public enum Moment {
        BEFORE,
        /** Half of a write's bytes are there. Other operations have no middle and end before. */
        AMID,
        AFTER,
        /** The process goes on, but the operation fails as on a full or broken disk. */
        ERROR
    }

    /** What the power cut leaves of what was not forced. */
    public enum Loss {
        /** Nothing. */
        ALL,
        /** Names, but no bytes: a renamed file is empty or old. */
        BYTES,
        /** Bytes, but no names. */
        NAMES,
        /** A prefix of the changes of names; of each file a random mixture of pages, zeros where none was written. */
        RANDOM
    }

    private static final int PAGE_BYTES = 4096;

    private static final class Inode {
        private final Set<PosixFilePermission> mode;

        Inode(Path file) throws IOException {
            mode = Files.getPosixFilePermissions(file);
        }

        byte[] durable = new byte[0];
        /** Bytes at the moment when its last name went. */
        byte[] last = new byte[0];
    }

    /** {@code after} is null where the name goes. */
    private record Change(
            Path name, @org.jspecify.annotations.Nullable Inode after) {}

    private final Disk disk = Disk.LOCAL;
    private final Path root;
    private final int target;
    private final Moment moment;
    private final Map<Path, Inode> now = new HashMap<>();
    private final Map<Path, Inode> platter = new HashMap<>();
    private final List<List<Change>> pending = new ArrayList<>();
    public final List<String> operations = new ArrayList<>();
    /** Told after each fsync of the directory of partial files, and of a partial file. */
    public Runnable partialsDurable = () -> {};

    public Runnable partForced = () -> {};
    public boolean fired;
    private boolean dead;

    /** {@code target} is the number of the operation, from 0; -1 for none. */
    public CrashDisk(Path root, int target, Moment moment) throws IOException {
        this.root = root;
        this.target = target;
        this.moment = moment;
        for (Path file : files(root)) {
            Inode inode = new Inode(file);
            inode.durable = Files.readAllBytes(file);
            now.put(file, inode);
            platter.put(file, inode);
        }
    }

    public static List<Path> files(Path root) throws IOException {
        if (!Files.isDirectory(root)) {
            return List.of();
        }
        try (Stream<Path> walk = Files.walk(root)) {
            return walk.filter(Files::isRegularFile).sorted().toList();
        }
    }

    private interface Operation {
        void run() throws IOException;
    }

    private void step(String name, Operation half, Operation whole) throws IOException {
        if (dead) {
            // Whatever the program does while the error passes through it, a process that has ended would not have
            // done.
            throw new Killed();
        }
        int number = operations.size();
        operations.add(name);
        if (number != target) {
            whole.run();
            return;
        }
        fired = true;
        dead = moment != Moment.ERROR;
        switch (moment) {
            case BEFORE -> {}
            case AMID -> half.run();
            case AFTER -> whole.run();
            case ERROR -> {
                half.run();
                throw DiskException.of(root, new IOException("no space left on device"));
            }
        }
        throw new Killed();
    }

    private void step(String name, Operation whole) throws IOException {
        step(name, () -> {}, whole);
    }

    @Override
    public OpenFile open(Path file, Access access) throws IOException {
        if (!now.containsKey(file)) {
            step("create " + name(file), () -> {
                disk.open(file, access).close();
                Inode inode = new Inode(file);
                now.put(file, inode);
                pending.add(List.of(new Change(file, inode)));
            });
        }
        return new Recorded(file, disk.open(file, access));
    }

    @Override
    public void rename(Path from, Path to) throws IOException {
        step("rename " + name(from) + " to " + name(to), () -> {
            forget(to);
            disk.rename(from, to);
            Inode inode = java.util.Objects.requireNonNull(now.remove(from));
            now.put(to, inode);
            if (Disk.directoryOf(from).equals(Disk.directoryOf(to))) {
                pending.add(List.of(new Change(to, inode), new Change(from, null)));
            } else {
                pending.add(List.of(new Change(to, inode)));
                pending.add(List.of(new Change(from, null)));
            }
        });
    }

    private void forget(Path file) throws IOException {
        Inode gone = now.get(file);
        if (gone != null) {
            gone.last = Files.readAllBytes(file);
        }
    }

    @Override
    public void deleteIfExists(Path file) throws IOException {
        if (!Files.exists(file)) {
            return;
        }
        step("delete " + name(file), () -> {
            forget(file);
            disk.deleteIfExists(file);
            now.remove(file);
            pending.add(List.of(new Change(file, null)));
        });
    }

    @Override
    public void syncDirectory(Path directory) throws IOException {
        step("fsync directory " + name(directory), () -> {
            disk.syncDirectory(directory);
            pending.removeIf(change -> {
                boolean here = Disk.directoryOf(change.getFirst().name()).equals(directory);
                if (here) {
                    apply(change);
                }
                return here;
            });
            if (directory.endsWith("partial")) {
                partialsDurable.run();
            }
        });
    }

    private void apply(List<Change> changes) {
        for (Change change : changes) {
            if (change.after() == null) {
                platter.remove(change.name());
            } else {
                platter.put(change.name(), change.after());
            }
        }
    }

    @Override
    public void createDirectories(Path directory, Access access) throws IOException {
        if (!Files.isDirectory(directory)) {
            step("mkdir " + name(directory), () -> disk.createDirectories(directory, access));
        }
    }

    private String name(Path file) {
        String name = root.relativize(file).toString();
        return name.length() > 24 ? name.replaceAll("([0-9a-f]{6})[0-9a-f]{58}", "$1") : name;
    }

    /** Leaves on the disk what the power cut leaves. */
    public void cutPower(Loss loss, Random random) throws IOException {
        Map<Inode, byte[]> cached = new HashMap<>();
        for (Map.Entry<Path, Inode> entry : now.entrySet()) {
            cached.put(entry.getValue(), Files.readAllBytes(entry.getKey()));
        }
        int kept = switch (loss) {
            case ALL, NAMES -> 0;
            case BYTES -> pending.size();
            case RANDOM -> random.nextInt(pending.size() + 1);
        };
        pending.subList(0, kept).forEach(this::apply);
        for (Path file : files(root)) {
            Files.delete(file);
        }
        Map<Inode, byte[]> left = new HashMap<>();
        Set<Inode> named = new HashSet<>(platter.values());
        for (Inode inode : named) {
            byte[] volatileBytes = cached.getOrDefault(inode, inode.last);
            left.put(
                    inode,
                    switch (loss) {
                        case ALL, BYTES -> inode.durable;
                        case NAMES ->
                            cached.containsKey(inode) || inode.last.length > 0 ? volatileBytes : inode.durable;
                        case RANDOM -> mixture(inode.durable, volatileBytes, random);
                    });
        }
        for (Map.Entry<Path, Inode> entry : platter.entrySet()) {
            Files.write(entry.getKey(), java.util.Objects.requireNonNull(left.get(entry.getValue())));
            Files.setPosixFilePermissions(entry.getKey(), entry.getValue().mode);
        }
    }

    private static byte[] mixture(byte[] durable, byte[] cached, Random random) {
        if (java.util.Arrays.equals(durable, cached)) {
            return durable;
        }
        int length = random.nextBoolean() ? cached.length : durable.length;
        byte[] mixed = java.util.Arrays.copyOf(durable, length);
        for (int at = 0; at < Math.min(length, cached.length); at += PAGE_BYTES) {
            if (random.nextBoolean()) {
                System.arraycopy(cached, at, mixed, at, Math.min(PAGE_BYTES, Math.min(length, cached.length) - at));
            }
        }
        return mixed;
    }

    private final class Recorded implements OpenFile {
        private final Path file;
        private final OpenFile open;

        Recorded(Path file, OpenFile open) {
            this.file = file;
            this.open = open;
        }

        @Override
        public long size() throws IOException {
            return open.size();
        }

        @Override
        public void read(ByteBuffer bytes, long offset) throws IOException {
            open.read(bytes, offset);
        }

        @Override
        public void write(ByteBuffer bytes, long offset) throws IOException {
            step(
                    "write " + name(file),
                    () -> open.write(bytes.slice(bytes.position(), bytes.remaining() / 2), offset),
                    () -> open.write(bytes, offset));
        }

        @Override
        public void truncate(long bytes) throws IOException {
            if (open.size() > bytes) {
                step("truncate " + name(file), () -> open.truncate(bytes));
            }
        }

        @Override
        public void force() throws IOException {
            step("fsync " + name(file), () -> {
                open.force();
                Inode inode = java.util.Objects.requireNonNull(now.get(file));
                inode.durable = Files.readAllBytes(file);
                if (file.toString().endsWith(".part")) {
                    partForced.run();
                }
            });
        }

        @Override
        public void close() throws IOException {
            open.close();
        }
    }
}
