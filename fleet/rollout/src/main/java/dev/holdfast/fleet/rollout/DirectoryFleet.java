package dev.holdfast.fleet.rollout;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.fleet.DesiredModels;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.LastVerdict;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Collection;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** The fleet as its folder has it. Reports and verdicts are read from there each time: another process may have written them. */
public final class DirectoryFleet implements Fleet {
    private static final int MAX_REPORT_BYTES = 64 * 1024;
    private static final int MAX_WORD_CHARS = 64;
    private static final int MAX_DETAIL_CHARS = 512;

    private final FleetRepository repository;
    private final FleetDirectory directory;
    private final BiConsumer<String, DesiredModels> hint;
    private final Consumer<String> asks;

    /**
     * @param hint tells a device that there is a new order for it; may fail to reach it, since devices ask by themselves, too
     * @param asks has evidence of a device asked for
     */
    public DirectoryFleet(FleetRepository repository, BiConsumer<String, DesiredModels> hint, Consumer<String> asks) {
        this.repository = repository;
        this.directory = repository.directory();
        this.hint = hint;
        this.asks = asks;
    }

    @Override
    public Collection<String> devices() throws IOException, RejectedException {
        return directory.enrolled();
    }

    @Override
    public Optional<String> desired(String device, String model) throws IOException, RejectedException {
        return DesiredModels.read(directory, device)
                .map(DesiredModels::models)
                .flatMap(models -> Optional.ofNullable(models.get(model)))
                .map(DesiredModels.Wish::version);
    }

    @Override
    public long order(String device, String model, String version, Optional<Rollout> terms)
            throws IOException, RejectedException {
        DesiredModels wish =
                DesiredModels.add(repository, device, model, new DesiredModels.Wish(version, terms), false);
        hint.accept(device, wish);
        return wish.counter();
    }

    @Override
    public void drop(String device, String model) throws IOException, RejectedException {
        hint.accept(device, DesiredModels.remove(repository, device, model));
    }

    @Override
    public Sha256 digest(String model, String version) throws IOException, RejectedException {
        return repository.release(model, version).model().file().sha256();
    }

    @Override
    public Optional<Word> word(String device, String model) throws IOException {
        Path file = directory.report(device);
        if (!Files.isRegularFile(file) || Files.size(file) > MAX_REPORT_BYTES) {
            return Optional.empty();
        }
        Instant at = Files.getLastModifiedTime(file).toInstant();
        return Json.readObject(Files.readAllBytes(file), MAX_REPORT_BYTES)
                        instanceof Verdict.Accepted<JsonNode>(JsonNode report)
                ? Optional.of(word(at, report, model))
                : Optional.empty();
    }

    /** A device may say anything: what is of another kind or too long is as if it had not said it. */
    static Word word(Instant at, JsonNode report, String model) {
        JsonNode named = Json.object();
        for (int i = 0; i < Math.min(report.path("models").size(), 2 * ModelName.MAX_MODELS); i++) {
            if (report.path("models").path(i).path("model").asText().equals(model)) {
                named = report.path("models").path(i);
            }
        }
        JsonNode install = named.path("install");
        JsonNode failure = named.path("lastFailure");
        JsonNode refused =
                named.path("lastRejection").isObject() ? named.path("lastRejection") : report.path("lastRejection");
        return new Word(
                at,
                text(named, "version", ModelName.MAX_CHARS),
                !named.path("state").asText().equals("installing"),
                named.path("state").asText().equals("installing")
                        ? text(install, "version", ModelName.MAX_CHARS)
                                .map(version -> new Installing(
                                        version,
                                        text(install, "state", MAX_WORD_CHARS).orElse("")))
                        : Optional.empty(),
                text(failure, "version", ModelName.MAX_CHARS)
                        .map(version -> new Failure(
                                version,
                                text(failure, "at", MAX_WORD_CHARS).orElse(""),
                                failure.path("state").asText().equals("ROLLED_BACK"),
                                text(failure, "code", MAX_WORD_CHARS).orElse(""))),
                text(refused, "code", MAX_WORD_CHARS)
                        .map(code -> new Refusal(
                                code,
                                text(refused, "detail", MAX_DETAIL_CHARS).orElse(""),
                                text(refused, "at", MAX_WORD_CHARS).orElse(""))));
    }

    private static Optional<String> text(JsonNode object, String name, int maxChars) {
        return Optional.ofNullable(object.path(name).textValue())
                .filter(text -> !text.isEmpty() && text.length() <= maxChars);
    }

    @Override
    public void ask(String device) {
        asks.accept(device);
    }

    @Override
    public Optional<Proof> proof(String device, String model) throws IOException, RejectedException {
        return LastVerdict.read(directory, device).map(verdict -> {
            Optional<LastVerdict.Proved> proved =
                    Optional.ofNullable(verdict.serving().get(model));
            return new Proof(
                    verdict.asked().orElse(Instant.MIN),
                    verdict.isAffirming(),
                    verdict.code(),
                    proved.map(LastVerdict.Proved::digest),
                    proved.map(LastVerdict.Proved::version).orElse(""));
        });
    }
}
