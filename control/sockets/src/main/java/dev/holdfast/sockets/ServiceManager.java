package dev.holdfast.sockets;

import dev.holdfast.control.UnixDatagram;
import dev.holdfast.wire.FailureText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a daemon tells the service manager that started it, by the protocol of sd_notify(3): that it is ready, what it does, that it is
 * well, that it stops. Without {@code NOTIFY_SOCKET} in the environment every method does nothing.
 *
 * <p>Ready and well are one thing: the first pass of the {@link Check} is told as {@code READY=1}, each later one as {@code WATCHDOG=1}.
 * There is no timer that would say so while the check hangs. Thread-safe; opened once, closed once.
 */
public final class ServiceManager implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ServiceManager.class);
    private static final Duration FIRST_CHECKS = Duration.ofMillis(20);
    private static final Duration LATE = Duration.ofSeconds(10);
    private static final Duration AGAIN = Duration.ofSeconds(1);
    /** Two checks may fail by chance before the third is missed. */
    private static final int CHECKS_PER_TIMEOUT = 3;

    private static final int MAX_STATUS = 200;

    /** Whether the process does what it is there for. May take its time: what hangs here is a fault, too. */
    @FunctionalInterface
    public interface Check {
        /**
         * @return what is wrong, for the log; empty where all is well
         * @throws IOException as well where something is wrong
         */
        Optional<String> fault() throws IOException, InterruptedException;
    }

    private final @Nullable UnixDatagram socket;
    /** How long the manager waits for a sign of life; zero for ever. */
    private final Duration timeout;

    private volatile @Nullable Thread watch;
    private String status = "";
    private boolean stopping;
    private boolean unheard;

    private ServiceManager(@Nullable UnixDatagram socket, Duration timeout) {
        this.socket = socket;
        this.timeout = timeout;
    }

    /** The manager that started this process, where there is one. */
    public static ServiceManager ofThisProcess() {
        return of(System.getenv());
    }

    /** Nobody is told anything. */
    public static ServiceManager none() {
        return new ServiceManager(null, Duration.ZERO);
    }

    /** The manager that {@code environment} names, as sd_notify(3) and sd_watchdog_enabled(3) read it. */
    public static ServiceManager of(Map<String, String> environment) {
        String address = environment.getOrDefault("NOTIFY_SOCKET", "");
        if (address.isEmpty()) {
            return none();
        }
        try {
            return new ServiceManager(new UnixDatagram(address), timeout(environment));
        } catch (IOException e) {
            LOG.warn("NOTIFY_SOCKET is not used: {}", FailureText.of(e));
            return none();
        }
    }

    private static Duration timeout(Map<String, String> environment) throws IOException {
        String micros = environment.getOrDefault("WATCHDOG_USEC", "");
        String whose = environment.getOrDefault("WATCHDOG_PID", "");
        if (micros.isEmpty()
                || !whose.isEmpty()
                        && !whose.equals(String.valueOf(ProcessHandle.current().pid()))) {
            return Duration.ZERO;
        }
        if (!micros.matches("[0-9]{1,15}")) {
            throw new IOException("WATCHDOG_USEC is no number: " + micros);
        }
        return Duration.ofNanos(TimeUnit.MICROSECONDS.toNanos(Long.parseLong(micros)));
    }

    /**
     * A step of the start begins, and the manager is to wait for it. Each step says how long it may take, so that a start that hangs is
     * still ended.
     *
     * @param what for people: "opening the root of trust"
     */
    public synchronized void starting(String what, Duration atMost) {
        status = line("Starting: " + what);
        send("EXTEND_TIMEOUT_USEC=" + TimeUnit.NANOSECONDS.toMicros(atMost.toNanos()) + "\nSTATUS=" + status);
    }

    /** What the process does, in words for people, on one line. What was said last is not said again. */
    public synchronized void status(String words) {
        String line = line(words);
        if (!line.equals(status) && !stopping) {
            status = send("STATUS=" + line) ? line : "";
        }
    }

    /** The configuration is read again; {@link #reloaded} must follow, also where the old one stays. */
    public synchronized void reloading() {
        // CLOCK_MONOTONIC, which is what nanoTime is on Linux.
        send("RELOADING=1\nMONOTONIC_USEC=" + TimeUnit.NANOSECONDS.toMicros(System.nanoTime()));
    }

    /** The process works again, with whichever configuration. */
    public synchronized void reloaded() {
        send("READY=1");
    }

    /** The process ends now, because it was told to. */
    public synchronized void stopping() {
        stopping = true;
        send("STOPPING=1\nSTATUS=Stopping");
    }

    /**
     * Says that the process is ready as soon as the check passes, and that it is well for as long as it goes on to pass. On the thread
     * {@code holdfast-health}, which ends with {@link #close}. Once.
     */
    public void watch(Check check) {
        if (socket != null) {
            watch = Thread.ofPlatform().name("holdfast-health").daemon().start(() -> run(check));
        }
    }

    private void run(Check check) {
        try {
            long since = System.nanoTime();
            boolean told = false;
            for (Optional<String> fault = fault(check); fault.isPresent(); fault = fault(check)) {
                if (!told && System.nanoTime() - since > LATE.toNanos()) {
                    LOG.warn("not ready after {} s: {}", LATE.toSeconds(), fault.get());
                    told = true;
                }
                Thread.sleep(FIRST_CHECKS);
            }
            // A message that finds the manager's queue full is lost, and this one must not be.
            while (!send("READY=1")) {
                Thread.sleep(AGAIN);
            }
            boolean well = true;
            while (!timeout.isZero()) {
                Thread.sleep(timeout.dividedBy(CHECKS_PER_TIMEOUT));
                Optional<String> fault = fault(check);
                if (fault.isEmpty()) {
                    send("WATCHDOG=1");
                } else if (well) {
                    LOG.error(
                            "this process is not well: {}; the service manager restarts it {} s after it was well last",
                            fault.get(),
                            timeout.toSeconds());
                }
                well = fault.isEmpty();
            }
        } catch (InterruptedException e) {
            // The process ends.
        }
    }

    private static Optional<String> fault(Check check) throws InterruptedException {
        try {
            return check.fault();
        } catch (IOException | RuntimeException e) {
            return Optional.of(FailureText.of(e));
        }
    }

    private synchronized boolean send(String message) {
        if (socket == null) {
            return true;
        }
        try {
            if (!socket.send(message.getBytes(StandardCharsets.UTF_8))) {
                throw new IOException("its queue is full");
            }
            unheard = false;
            return true;
        } catch (IOException e) {
            if (!unheard) {
                LOG.warn("the service manager cannot be told anything: {}", FailureText.of(e));
            }
            unheard = true;
            return false;
        }
    }

    /** One line without control characters: the next one would be an assignment of its own. */
    private static String line(String words) {
        String line = words.replaceAll("[\\p{Cntrl}\\s]+", " ").strip();
        return line.length() <= MAX_STATUS ? line : line.substring(0, MAX_STATUS);
    }

    /** The daemon that is closed when the process is told to end: the manager hears of it first. */
    public AutoCloseable ending(AutoCloseable daemon) {
        return () -> {
            stopping();
            close();
            daemon.close();
        };
    }

    /** Nothing is watched any more. */
    @Override
    public void close() {
        Thread running = watch;
        if (running != null) {
            running.interrupt();
        }
    }
}
