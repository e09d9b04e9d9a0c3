package dev.holdfast.testkit;

import static java.util.Objects.requireNonNull;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A local program that connects to a Unix socket and keeps no rule, in this process or as another user. What it has reached so far is
 * its {@link #tally}. Thread-safe.
 */
public final class HostileProgram implements AutoCloseable {
    /** What each of its connections does. A flood begins anew when its connection ends; the others stay as they are. */
    public enum Attack {
        /** Asks nothing. */
        SILENT,
        /** Sends the head of a request, one byte at a time, without an end. */
        SLOW_HEAD,
        /** Sends all of a long body but its last byte. */
        UNFINISHED_BODY,
        /** Flood: sends bodies without an end. */
        ENDLESS_BODY,
        /** Asks for a stream of a million tokens and reads none of it. */
        UNREAD_STREAM,
        /** Flood: asks for streams of a million tokens at one token a second. */
        SLOW_STREAM,
        /** Flood: asks again and again without waiting for answers. */
        PIPELINE,
        /** Flood: asks for evidence with nonce after nonce. */
        EVIDENCE,
        /** Flood: connects, and hangs up. */
        RECONNECT,
        /** Flood: sends what is no request. */
        GARBAGE
    }

    /**
     * Another user, whom only root can become.
     *
     * @param groups supplementary groups
     */
    public record User(long uid, long gid, List<Long> groups) {
        /** A user without any right: 65534. */
        public static final User NOBODY = new User(65_534, 65_534, List.of());
    }

    /**
     * What was reached.
     *
     * @param tried attempts to connect, also those of a flood
     * @param open connections that the other side has not closed
     * @param statuses how many answers came with each HTTP status
     */
    public record Tally(int tried, int open, SortedMap<Integer, Integer> statuses) {
        public Tally {
            statuses = Collections.unmodifiableSortedMap(new TreeMap<>(statuses));
        }

        public int status(int status) {
            return statuses.getOrDefault(status, 0);
        }
    }

    private static final int END_SECONDS = 10;

    private final @Nullable HostileConnections here;
    private final @Nullable Process process;
    private final @Nullable Path classes;
    private volatile Tally told = new Tally(0, 0, new TreeMap<>());

    private HostileProgram(@Nullable HostileConnections here, @Nullable Process process, @Nullable Path classes) {
        this.here = here;
        this.process = process;
        this.classes = classes;
    }

    /** Lets any user pass through a test's folder and those above it, below the folder of temporary files: all others are not the test's. */
    public static void letIn(Path folder) throws IOException {
        Path end = Path.of(System.getProperty("java.io.tmpdir")).toRealPath();
        Path real = folder.toRealPath();
        if (!real.startsWith(end)) {
            throw new IllegalArgumentException(folder + " is not below " + end);
        }
        for (Path each = real; each != null && !each.equals(end); each = each.getParent()) {
            if (PosixFilePermissions.toString(Files.getPosixFilePermissions(each))
                    .equals("rwx------")) {
                Files.setPosixFilePermissions(each, PosixFilePermissions.fromString("rwx--x--x"));
            }
        }
    }

    /** Starts it in this process. */
    public static HostileProgram start(Attack attack, Path socket, int connections) {
        return new HostileProgram(new HostileConnections(attack, socket, connections), null, null);
    }

    /**
     * Starts it as another user; needs root, {@code setpriv}, and a socket that this user may reach.
     *
     * @param setpriv the program of util-linux
     */
    public static HostileProgram start(String setpriv, User user, Attack attack, Path socket, int connections)
            throws IOException {
        Path classes = classes();
        Process process = as(
                        setpriv,
                        user,
                        classes,
                        HostileProgram.class,
                        attack.name(),
                        socket.toString(),
                        String.valueOf(connections))
                .start();
        HostileProgram program = new HostileProgram(null, process, classes);
        Thread.ofVirtual().name("hostile-program").start(() -> program.listen(process));
        return program;
    }

    /**
     * Sends bytes as another user, reads to the end and returns what came.
     *
     * @param setpriv the program of util-linux
     */
    public static byte[] exchange(String setpriv, User user, Path socket, byte[] sent)
            throws IOException, InterruptedException {
        Path classes = classes();
        try {
            Process process = as(setpriv, user, classes, HostileProgram.class, "EXCHANGE", socket.toString(), "1")
                    .start();
            try (var out = process.getOutputStream()) {
                out.write(sent);
            }
            byte[] answer = process.getInputStream().readAllBytes();
            process.waitFor();
            return answer;
        } finally {
            delete(classes);
        }
    }

    /** Sends bytes, says that no more will come (SHUT_WR), reads to the end and returns what came. */
    public static byte[] exchangeHalfClosed(Path socket, byte[] sent) throws IOException {
        return exchange(socket, sent, true);
    }

    static byte[] exchange(Path socket, byte[] sent, boolean halfClosed) throws IOException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            ByteBuffer out = ByteBuffer.wrap(sent);
            while (out.hasRemaining()) {
                channel.write(out);
            }
            if (halfClosed) {
                channel.shutdownOutput();
            }
            ByteArrayOutputStream answer = new ByteArrayOutputStream();
            ByteBuffer in = ByteBuffer.allocate(HostileConnections.BUFFER_BYTES);
            while (channel.read(in.clear()) >= 0) {
                answer.write(in.array(), 0, in.position());
            }
            return answer.toByteArray();
        }
    }

    /** What was reached so far. */
    public Tally tally() {
        return here == null ? told : here.tally();
    }

    private void listen(Process process) {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] numbers = line.split(" ", -1);
                SortedMap<Integer, Integer> statuses = new TreeMap<>();
                for (int i = 2; i + 1 < numbers.length; i += 2) {
                    statuses.put(Integer.parseInt(numbers[i]), Integer.parseInt(numbers[i + 1]));
                }
                told = new Tally(Integer.parseInt(numbers[0]), Integer.parseInt(numbers[1]), statuses);
            }
        } catch (IOException | NumberFormatException e) {
            // It was ended.
        }
    }

    @Override
    public void close() {
        if (here != null) {
            here.close();
        }
        if (process != null) {
            process.destroyForcibly();
            try {
                process.waitFor(END_SECONDS, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        if (classes != null) {
            delete(classes);
        }
    }

    // --- as another user ---

    static ProcessBuilder as(String setpriv, User user, Path classes, Class<?> program, String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                setpriv,
                "--reuid=" + user.uid(),
                "--regid=" + user.gid(),
                user.groups().isEmpty() ? "--clear-groups" : "--groups=" + joined(user.groups()),
                "--pdeathsig=KILL",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                classes.toString(),
                program.getName()));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    }

    private static String joined(List<Long> numbers) {
        return String.join(",", numbers.stream().map(String::valueOf).toList());
    }

    /** A copy of the classes where any user can read them: the build may be in somebody's home. */
    static Path classes() throws IOException {
        Path folder = Files.createTempDirectory("hostile-program");
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        CodeSource code =
                requireNonNull(HostileProgram.class.getProtectionDomain().getCodeSource());
        Path source = Path.of(URI.create(code.getLocation().toString()));
        String inside = HostileProgram.class.getPackageName().replace('.', '/');
        if (Files.isDirectory(source)) {
            copy(source.resolve(inside), folder, inside);
        } else {
            try (FileSystem jar = FileSystems.newFileSystem(source)) {
                copy(jar.getPath(inside), folder, inside);
            }
        }
        return folder;
    }

    private static void copy(Path from, Path folder, String inside) throws IOException {
        Path to = folder;
        for (String name : inside.split("/")) {
            to = Files.createDirectory(to.resolve(name));
            Files.setPosixFilePermissions(to, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        try (var all = Files.list(from)) {
            for (Path each : all.toList()) {
                Path copy = Files.write(to.resolve(String.valueOf(each.getFileName())), Files.readAllBytes(each));
                Files.setPosixFilePermissions(copy, PosixFilePermissions.fromString("rw-r--r--"));
            }
        }
    }

    static void delete(Path folder) {
        try (var all = Files.walk(folder)) {
            for (Path each : all.toList().reversed()) {
                Files.delete(each);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** As the other user: attack, socket, connections. Prints its tally until it is ended. */
    public static void main(String[] args) throws Exception {
        Path socket = Path.of(args[1]);
        if (args[0].equals("EXCHANGE")) {
            System.out.write(exchange(socket, System.in.readAllBytes(), false));
            System.out.flush();
            return;
        }
        try (HostileConnections connections =
                new HostileConnections(Attack.valueOf(args[0]), socket, Integer.parseInt(args[2]))) {
            while (!System.out.checkError()) {
                Tally now = connections.tally();
                StringBuilder line =
                        new StringBuilder().append(now.tried()).append(' ').append(now.open());
                for (Map.Entry<Integer, Integer> each : now.statuses().entrySet()) {
                    line.append(' ').append(each.getKey()).append(' ').append(each.getValue());
                }
                System.out.println(line);
                Thread.sleep(HostileConnections.TELL_MILLIS);
            }
        }
    }
}
