package dev.holdfast.fleet.rollout;

import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Collection;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Devices that take their orders, fail, lie or say nothing, and a clock that a test moves. */
final class SimulatedFleet extends Clock implements Fleet {
    static final String MODEL = "intent";
    private static final Duration TICK = Duration.ofSeconds(1);

    /** How a device behaves. */
    enum Kind {
        HONEST,
        /** Its gate refuses the release. */
        FAILS,
        /** Serves it, then goes back. */
        ROLLS_BACK,
        /** Says that it serves the release and serves the one before. */
        LIES,
        SILENT,
        /** Fails once with a full disk, then takes it. */
        FAILS_ONCE,
        /** Reports, and does nothing. */
        IDLE
    }

    static final class Device {
        Kind kind = Kind.HONEST;
        Optional<String> desired = Optional.of("1.0.0");
        long order = 1;
        String serves = "1.0.0";
        String says = "1.0.0";
        Optional<Failure> failure = Optional.empty();
        Optional<Refusal> refused = Optional.empty();
        Instant saidAt = Instant.EPOCH;
        Optional<Proof> proof = Optional.empty();
        int failures;
    }

    final Map<String, Device> devices = new TreeMap<>();
    final Set<String> published = new HashSet<>(Set.of("1.0.0", "2.0.0", "3.0.0"));
    /** Devices whose orders are held since a restore. */
    final Set<String> held = new HashSet<>();
    /** Whose evidence was asked for since somebody looked. */
    final Set<String> asked = new TreeSet<>();

    int orders;
    private Instant now = Instant.parse("2027-01-01T00:00:00Z");

    SimulatedFleet(int count) {
        for (int i = 0; i < count; i++) {
            devices.put("sim-" + i, new Device());
        }
    }

    Device device(String name) {
        return Objects.requireNonNull(devices.get(name));
    }

    /** Time passes, and every device does what it was ordered to do. */
    void pass(Duration time) {
        now = now.plus(time);
        devices.forEach((name, device) -> work(device));
    }

    private void work(Device device) {
        if (device.kind == Kind.SILENT || device.desired.isEmpty()) {
            return;
        }
        String wanted = device.desired.get();
        if (!device.says.equals(wanted)) {
            switch (device.kind) {
                case FAILS -> fail(device, wanted, false, Code.GATE_CANARY.id());
                case ROLLS_BACK -> fail(device, wanted, true, Code.GATE_CANARY.id());
                case FAILS_ONCE -> {
                    if (device.failures++ == 0) {
                        fail(device, wanted, false, Code.INS_DISK.id());
                    } else {
                        device.serves = wanted;
                        device.says = wanted;
                    }
                }
                case LIES -> device.says = wanted;
                case IDLE -> {}
                default -> {
                    device.serves = wanted;
                    device.says = wanted;
                }
            }
        }
        device.saidAt = now;
    }

    private void fail(Device device, String version, boolean back, String code) {
        device.failure = Optional.of(new Failure(version, "order " + device.order, back, code));
    }

    /** Every device shows evidence of what it really serves. */
    void attest() {
        now = now.plus(TICK);
        for (Device device : devices.values()) {
            if (device.kind != Kind.SILENT) {
                device.proof = Optional.of(
                        new Proof(now, true, Optional.empty(), Optional.of(sha(device.serves)), device.serves));
            }
        }
        now = now.plus(TICK);
    }

    static Sha256 sha(String version) {
        return Sha256.of(version.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public Collection<String> devices() {
        return devices.keySet();
    }

    @Override
    public Optional<String> desired(String device, String model) {
        return device(device).desired;
    }

    @Override
    public long order(String device, String model, String version, Optional<Rollout> terms) throws RejectedException {
        digest(model, version);
        if (held.contains(device)) {
            throw new RejectedException(Code.FLT_HELD, device);
        }
        orders++;
        Device ordered = device(device);
        ordered.desired = Optional.of(version);
        return ++ordered.order;
    }

    @Override
    public void drop(String device, String model) {
        device(device).desired = Optional.empty();
    }

    @Override
    public Sha256 digest(String model, String version) throws RejectedException {
        if (!published.contains(version)) {
            throw new RejectedException(Code.UPD_TARGET_UNKNOWN, version);
        }
        return sha(version);
    }

    @Override
    public Optional<Word> word(String device, String model) {
        Device one = device(device);
        return one.saidAt.equals(Instant.EPOCH)
                ? Optional.empty()
                : Optional.of(
                        new Word(one.saidAt, Optional.of(one.says), true, Optional.empty(), one.failure, one.refused));
    }

    @Override
    public void ask(String device) {
        asked.add(device);
    }

    @Override
    public Optional<Proof> proof(String device, String model) {
        return device(device).proof;
    }

    @Override
    public Instant instant() {
        return now;
    }

    @Override
    public ZoneId getZone() {
        return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
        return this;
    }
}
