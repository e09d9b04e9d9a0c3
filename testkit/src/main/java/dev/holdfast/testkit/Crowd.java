package dev.holdfast.testkit;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** Many connections that ask at once, each the same, and read to the end; of this process, or of other users. They keep every rule. */
public final class Crowd {
    private static final int READY = 1;
    private static final int FAILED = -1;

    private Crowd() {}

    /**
     * What one connection got.
     *
     * @param answer everything that came; empty where it failed
     * @param failure why it could not connect, send or read to the end; empty where it could
     */
    public record Exchange(String answer, String failure) {}

    /** Sends bytes on so many connections of this process at once. */
    public static List<Exchange> ask(Path socket, byte[] sent, int connections) throws InterruptedException {
        Exchange[] all = new Exchange[connections];
        CountDownLatch start = new CountDownLatch(1);
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < connections; i++) {
            int index = i;
            threads.add(Thread.ofPlatform().name("crowd-" + i).start(() -> all[index] = one(socket, sent, start)));
        }
        start.countDown();
        for (Thread thread : threads) {
            thread.join();
        }
        return List.of(all);
    }

    private static Exchange one(Path socket, byte[] sent, CountDownLatch start) {
        try {
            start.await();
            return new Exchange(new String(HostileProgram.exchange(socket, sent, false), StandardCharsets.UTF_8), "");
        } catch (IOException e) {
            return new Exchange("", e.toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new Exchange("", e.toString());
        }
    }

    /**
     * The same by each of some users at once, whom only root can become.
     *
     * @param setpriv the program of util-linux
     * @param connections of each user
     */
    public static List<Exchange> ask(
            String setpriv, List<HostileProgram.User> users, Path socket, byte[] sent, int connections)
            throws IOException {
        Path classes = HostileProgram.classes();
        List<Process> programs = new ArrayList<>();
        try {
            for (HostileProgram.User user : users) {
                programs.add(HostileProgram.as(
                                setpriv, user, classes, Crowd.class, socket.toString(), String.valueOf(connections))
                        .start());
            }
            for (Process each : programs) {
                if (each.getInputStream().read() != READY) {
                    throw new IOException("a program of another user did not start");
                }
            }
            for (Process each : programs) {
                try (var out = each.getOutputStream()) {
                    out.write(sent);
                }
            }
            List<Exchange> all = new ArrayList<>();
            for (Process each : programs) {
                read(new DataInputStream(each.getInputStream()), connections, all);
            }
            return all;
        } finally {
            programs.forEach(Process::destroyForcibly);
            HostileProgram.delete(classes);
        }
    }

    private static void read(DataInputStream in, int count, List<Exchange> all) throws IOException {
        for (int i = 0; i < count; i++) {
            int length = in.readInt();
            all.add(
                    length == FAILED
                            ? new Exchange("", in.readUTF())
                            : new Exchange(new String(in.readNBytes(length), StandardCharsets.UTF_8), ""));
        }
    }

    /** As the other user: socket, connections. Says that it is there, reads what to send, and prints what came. */
    public static void main(String[] args) throws Exception {
        DataOutputStream out = new DataOutputStream(System.out);
        out.write(READY);
        out.flush();
        byte[] sent = System.in.readAllBytes();
        for (Exchange each : ask(Path.of(args[0]), sent, Integer.parseInt(args[1]))) {
            if (each.failure.isEmpty()) {
                byte[] answer = each.answer.getBytes(StandardCharsets.UTF_8);
                out.writeInt(answer.length);
                out.write(answer);
            } else {
                out.writeInt(FAILED);
                out.writeUTF(each.failure);
            }
        }
        out.flush();
    }
}
