package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.rollout.RolloutPlan;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The plan of a rollout on the command line: a file, or what is most often said in one. */
final class RolloutPlanOptions {
    private static final List<String> SHARES = List.of("1%", "10%", "100%");

    @Option(
            names = "--plan",
            paramLabel = "FILE",
            description = "A plan in JSON, instead of the options below; see docs/rollouts.md.")
    Optional<Path> file = Optional.empty();

    @Option(
            names = "--rings",
            paramLabel = "SHARES",
            split = ",",
            description = "Shares of the fleet, each with those before it (default: 1%%,10%%,100%%).")
    List<String> rings = List.of();

    @Option(
            names = "--attested",
            paramLabel = "PERCENT",
            description = "Of the devices that say they serve it, how many evidence must prove (default: 100).")
    Optional<BigDecimal> attested = Optional.empty();

    @Option(names = "--failed", paramLabel = "PERCENT", description = "Most of a ring that may fail (default: 2).")
    Optional<BigDecimal> failed = Optional.empty();

    @Option(names = "--soak", paramLabel = "TIME", description = "How long a ring rests, such as PT6H (default: PT0S).")
    Optional<Duration> soak = Optional.empty();

    @Option(
            names = "--abort-failed",
            paramLabel = "PERCENT",
            description = "Ends the rollout when more of the devices failed (default: 20).")
    Optional<BigDecimal> abortFailed = Optional.empty();

    @Option(
            names = "--counter-order",
            description = "Where it ends so, devices are ordered back to what was desired of them before.")
    boolean counterOrder;

    @Option(names = "--start", paramLabel = "TIME", description = "When the first ring opens (default: at once).")
    Optional<Instant> start = Optional.empty();

    /** {@code CFG-INVALID} where it does not hold, or a file is for another release. */
    RolloutPlan plan(String model, String version) throws IOException, RejectedException {
        if (file.isEmpty()) {
            return said(model, version);
        }
        if (!rings.isEmpty()
                || attested.isPresent()
                || failed.isPresent()
                || soak.isPresent()
                || abortFailed.isPresent()
                || counterOrder
                || start.isPresent()) {
            throw new RejectedException(Code.CFG_INVALID, "--plan says it all; no other option goes with it");
        }
        Path named = file.get();
        byte[] bytes = Files.readAllBytes(named);
        RolloutPlan plan = InputFile.of(named.toString(), Verdict.of(() -> RolloutPlan.read(bytes)));
        if (!plan.model().equals(model) || !plan.version().equals(version)) {
            throw new RejectedException(
                    Code.CFG_INVALID, named + " is a plan for " + plan.model() + " " + plan.version());
        }
        return plan;
    }

    private RolloutPlan said(String model, String version) throws RejectedException {
        ObjectNode json = Json.object().put("format", 1).put("model", model).put("version", version);
        ArrayNode list = json.putArray("rings");
        for (String share : rings.isEmpty() ? SHARES : rings) {
            String name = "r" + (list.size() + 1);
            list.addObject().put("name", name).put("percent", percent(share));
        }
        ObjectNode gate = json.putObject("gate");
        attested.ifPresent(percent -> gate.put("attestedPercent", percent));
        failed.ifPresent(percent -> gate.put("failedPercent", percent));
        soak.ifPresent(time -> gate.put("soakSeconds", time.toSeconds()));
        ObjectNode abort = json.putObject("abort").put("counterOrder", counterOrder);
        abortFailed.ifPresent(percent -> abort.put("failedPercent", percent));
        start.ifPresent(time -> json.put("startSeconds", time.getEpochSecond()));
        // What a plan's file may not say may not be said here.
        return RolloutPlan.read(Json.write(json));
    }

    private static BigDecimal percent(String share) throws RejectedException {
        try {
            return new BigDecimal(share.strip().replaceFirst(" ?%$", ""));
        } catch (NumberFormatException e) {
            throw new RejectedException(Code.CFG_INVALID, "--rings takes shares such as 1%,10%,100%, not " + share);
        }
    }
}
