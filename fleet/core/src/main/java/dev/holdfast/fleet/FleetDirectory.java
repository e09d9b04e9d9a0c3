package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.settings.FleetBroker;
import dev.holdfast.fleet.settings.FleetLog;
import dev.holdfast.link.BrokerAccess;
import dev.holdfast.link.Topics;
import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Where a fleet keeps what:
 *
 * <pre>
 * fleet.json           name, broker, and the names of the files that the broker is shown
 * keys/                private keys, readable by their owner only
 * metadata/            signed files under their consistent names
 * blobs/&lt;sha256&gt;       models and patches
 * leaves/&lt;sha256&gt;      leaves of their block trees, made when they are published
 * desired/&lt;device&gt;.json, devices/&lt;device&gt;.json, reports/&lt;device&gt;.json
 * replacements/&lt;device&gt;.json   devices that may enrol with other keys, once
 * enrolment.json       makers and keys that are let in, and with what
 * accepted.csv         keys that somebody accepted or rejected
 * tokens/&lt;id&gt;.json     what images carry so that their devices are let in
 * pending/&lt;key&gt;.json   devices that wait to be let in
 * bound/&lt;key&gt;          which device has a key
 * held/&lt;device&gt;         devices whose orders are held after a restore
 * audit.jsonl          what was done to devices, a line each
 * verifier/            the verifier's private key, readable by its owner only
 * archive/&lt;device&gt;/     the newest appraisals, each with all that it needed
 * verdicts/&lt;device&gt;.json     what the last look at its evidence came to
 * verdicts/&lt;device&gt;.jsonl    what each look came to, and which got no answer
 * schedules/&lt;device&gt;.json    how often its evidence is expected, where that is its own
 * </pre>
 *
 * Files are replaced whole or not at all.
 */
public record FleetDirectory(Path root) {
    private static final int MAX_CONFIG_BYTES = 64 * 1024;

    /** What {@code fleet.json} says. */
    public record Config(String name, FleetBroker broker, AttestSettings attest, FleetLog log) {
        public Config(String name, FleetBroker broker) {
            this(name, broker, AttestSettings.DEFAULT, FleetLog.DEFAULT);
        }

        /** With a broker that lets in whoever comes. */
        public Config(String name, String broker) {
            this(name, new FleetBroker(broker, BrokerAccess.Settings.NONE));
        }

        public Config with(FleetBroker other) {
            return new Config(name, other, attest, log);
        }

        public Config with(AttestSettings other) {
            return new Config(name, broker, other, log);
        }

        public Config with(FleetLog other) {
            return new Config(name, broker, attest, other);
        }
    }

    public Path keys() {
        return root.resolve("keys");
    }

    Path metadata() {
        return root.resolve("metadata");
    }

    Path metadata(String file) {
        return metadata().resolve(file);
    }

    Path blobs() {
        return root.resolve("blobs");
    }

    public Path blob(Sha256 digest) {
        return blobs().resolve(digest.hex());
    }

    Path leaves() {
        return root.resolve("leaves");
    }

    Path desired(String device) {
        return root.resolve("desired").resolve(device + ".json");
    }

    public Path devices() {
        return root.resolve("devices");
    }

    public Path device(String device) {
        return devices().resolve(device + ".json");
    }

    Path reports() {
        return root.resolve("reports");
    }

    public Path report(String device) {
        return reports().resolve(device + ".json");
    }

    /** Why the fleet suspects that two devices have one name; absent where it never did. */
    public Path clone(String device) {
        return reports().resolve(device + ".clone");
    }

    public Path online(String device) {
        return reports().resolve(device + ".online");
    }

    Path replacement(String device) {
        return root.resolve("replacements").resolve(device + ".json");
    }

    Path held() {
        return root.resolve("held");
    }

    Path held(String device) {
        return held().resolve(device);
    }

    /** Devices whose orders are held since a restore, sorted. */
    public List<String> heldDevices() throws IOException {
        return names(held(), "");
    }

    public Path audit() {
        return root.resolve("audit.jsonl");
    }

    /** Apart from {@link #keys}: a machine that verifies needs none of those, and the other way round. */
    public Path verifier() {
        return root.resolve("verifier");
    }

    public Path archives(String device) {
        return root.resolve("archive").resolve(device);
    }

    Path verdict(String device) {
        return root.resolve("verdicts").resolve(device + ".json");
    }

    public Path verdictLog(String device) {
        return root.resolve("verdicts").resolve(device + ".jsonl");
    }

    Path schedule(String device) {
        return root.resolve("schedules").resolve(device + ".json");
    }

    /** Whether there is a record of its enrolment. */
    public boolean isEnrolled(String device) {
        return Files.exists(device(device));
    }

    /** Removes what the device said of itself. */
    void forgetReports(String device) throws IOException {
        Files.deleteIfExists(report(device));
        Files.deleteIfExists(online(device));
        Files.deleteIfExists(clone(device));
    }

    /** Makes the directories of a new fleet; {@code FLT-EXISTS} where there is one. */
    void create(Config config) throws IOException, RejectedException {
        if (Files.exists(root.resolve("fleet.json")) || Files.exists(keys()) || Files.exists(metadata())) {
            throw new RejectedException(Code.FLT_EXISTS, root + " holds a fleet");
        }
        requireName(config.name());
        config.broker().require();
        for (String name : List.of("keys", "metadata", "blobs", "desired", "devices", "reports")) {
            Disk.LOCAL.createDirectories(root.resolve(name));
        }
    }

    /** Written last by initialisation: with it the fleet exists. */
    void write(Config config) throws IOException {
        ObjectNode node = Json.object().put("format", 1).put("name", config.name());
        config.broker().writeTo(node);
        config.attest().writeTo(node);
        config.log().writeTo(node);
        replace(root.resolve("fleet.json"), Json.write(node));
    }

    /** Puts other settings into {@code fleet.json}; {@code CFG-INVALID} where they do not hold. */
    public void change(FleetBroker broker, FleetLog log, AttestSettings attest) throws IOException, RejectedException {
        broker.require();
        log.require();
        attest.require();
        exclusively(() -> {
            write(config().with(broker).with(log).with(attest));
            return broker;
        });
    }

    public Config config() throws IOException, RejectedException {
        JsonNode node = readJson(root.resolve("fleet.json"), MAX_CONFIG_BYTES)
                .orElseThrow(() -> new RejectedException(Code.FLT_ABSENT, root + " holds no fleet; see fleet init"));
        String name = node.path("name").asText();
        if (name.isEmpty() || node.path("broker").asText().isEmpty()) {
            throw new RejectedException(Code.CFG_INVALID, "fleet.json needs name and broker");
        }
        requireName(name);
        Path folder = root.toAbsolutePath();
        return new Config(name, FleetBroker.read(node, folder), AttestSettings.read(node, folder), FleetLog.read(node));
    }

    /** What changes the fleet, or must see it whole. */
    @FunctionalInterface
    public interface Work<T> {
        T run() throws IOException, RejectedException;
    }

    /** Runs {@code work} while no other thread and no other process does so: whoever reads what he then changes does it here. */
    public <T> T exclusively(Work<T> work) throws IOException, RejectedException {
        return WriterLock.of(root, ".lock").run(work);
    }

    /**
     * Runs the making of a release while no other one is made. It takes minutes, so orders and enrolments go on beside it; what
     * becomes visible at its end is written {@linkplain #exclusively exclusively}. Never the other way round.
     */
    <T> T publishing(Work<T> work) throws IOException, RejectedException {
        return WriterLock.of(root, ".lock-publish").run(work);
    }

    /** {@code CFG-INVALID} where {@code name} may not name a fleet or a device; the detail says what to do. */
    public static void requireName(String name) throws RejectedException {
        if (!Topics.isName(name)) {
            throw new RejectedException(Code.CFG_INVALID, Topics.refusal(name));
        }
    }

    /** The enrolled devices, sorted; {@code CFG-INVALID} where one has a name of the time when names could have dots. */
    public List<String> enrolled() throws IOException, RejectedException {
        return devices(devices());
    }

    /** {@code CFG-INVALID} where the fleet, an enrolled device or a wish has a name that brokers do not deliver alike. */
    void requireNames() throws IOException, RejectedException {
        config();
        enrolled();
        desiring();
    }

    /** Devices of which something is or was desired, sorted; {@code CFG-INVALID} as for {@link #enrolled}. */
    List<String> desiring() throws IOException, RejectedException {
        return devices(root.resolve("desired"));
    }

    /** Names of devices that files of a directory have before {@code suffix}, sorted; what is no name is passed over. */
    List<String> names(Path directory, String suffix) throws IOException {
        return stems(directory, suffix).stream().filter(Topics::isName).toList();
    }

    private static List<String> devices(Path directory) throws IOException, RejectedException {
        List<String> names = new ArrayList<>();
        for (String name : stems(directory, ".json")) {
            if (Topics.isDottedName(name)) {
                throw new RejectedException(
                        Code.CFG_INVALID,
                        Topics.refusal(name) + "; then delete " + directory.getFileName() + "/" + name + ".json");
            }
            if (Topics.isName(name)) {
                names.add(name);
            }
        }
        return names;
    }

    /** Names of the devices of which there is a report, sorted. Others than devices may have sent some; those do not count. */
    List<String> reporters(String suffix) throws IOException {
        return names(reports(), suffix);
    }

    /** What is before {@code suffix} in the names of the files in a directory, sorted. */
    private static List<String> stems(Path directory, String suffix) throws IOException {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> String.valueOf(file.getFileName()))
                    .filter(name -> name.endsWith(suffix))
                    .map(name -> name.substring(0, name.length() - suffix.length()))
                    .sorted()
                    .toList();
        }
    }

    public static Optional<JsonNode> readJson(Path file, int maxBytes) throws IOException, RejectedException {
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        return Optional.of(Json.readObject(Files.readAllBytes(file), maxBytes).orThrow());
    }

    /** Survives a power cut whole or not at all. */
    public static void replace(Path file, byte[] bytes) throws IOException {
        Disk.LOCAL.replace(file, bytes);
    }

    /** For good when it returns, whether it was there or not. */
    public static void delete(Path file) throws IOException {
        if (Files.exists(file)) {
            Disk.LOCAL.delete(file);
        }
    }

    static void force(Path file) throws IOException {
        Disk.LOCAL.force(file);
    }

    /** Gives a file that was written by other means its name; it survives a power cut whole or not at all. */
    static void move(Path from, Path to) throws IOException {
        Disk.LOCAL.force(from);
        Disk.LOCAL.move(from, to);
    }
}
