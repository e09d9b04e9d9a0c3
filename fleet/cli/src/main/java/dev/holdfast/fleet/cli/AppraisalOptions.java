package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.tee.Assurance;
import dev.holdfast.terminal.Page;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** What the two verifying commands share: the policy's options, the verdict's text, the exit code. */
final class AppraisalOptions {
    @Option(
            names = "--min-assurance",
            paramLabel = "LEVEL",
            description = "What enrolment must have granted the device at least: ${COMPLETION-CANDIDATES}, in any case"
                    + " (default: FIRMWARE). Below FIRMWARE nothing ties the evidence to one machine, which the result"
                    + " then says.")
    @Nullable
    Assurance minAssurance;

    @Option(
            names = "--allow-resettable-register",
            description = "Warn instead of refusing where software could reset the register.")
    boolean allowResettableRegister;

    @Option(
            names = "--model",
            paramLabel = "NAME",
            description = "Model that must serve, and no other may; repeatable (default: any published ones).")
    List<String> models = new ArrayList<>();

    @Option(names = "--json", description = "print JSON")
    boolean json;

    @Option(
            names = "--policy",
            paramLabel = "FILE.json",
            description = "What is asked of evidence, a JSON file; then --min-assurance and the register option are not"
                    + " read.")
    @Nullable
    Path policy;

    /** Whether anything is asked for beside the defaults. */
    boolean isGiven() {
        return policy != null || minAssurance != null || allowResettableRegister || !models.isEmpty();
    }

    Appraisal appraise(
            byte[] evidence, EvidenceVerifier.Question question, EnrolledDevice device, ReferenceModels models)
            throws IOException, RejectedException {
        return EvidenceVerifier.verify(evidence, question, device, models, policy());
    }

    AppraisalPolicy policy() throws IOException, RejectedException {
        if (policy != null) {
            if (!models.isEmpty()) {
                throw new RejectedException(Code.CFG_INVALID, "--model: name the models in the policy, under models");
            }
            return InputFile.of(policy.toString(), AppraisalPolicy.parse(Files.readAllBytes(policy)));
        }
        for (String model : models) {
            if (!ModelName.isName(model)) {
                throw new RejectedException(Code.CFG_INVALID, "--model: no model is called " + model);
            }
        }
        return AppraisalPolicy.atLeast(minAssurance == null ? Assurance.FIRMWARE : minAssurance)
                .withResettableRegister(allowResettableRegister)
                .withModels(Set.copyOf(models));
    }

    /** The fleet directory that the policy names, relative to the policy's own folder. */
    Optional<Path> fleetOfPolicy() throws IOException, RejectedException {
        if (policy == null) {
            return Optional.empty();
        }
        String named = Json.readObject(Files.readAllBytes(policy), AppraisalPolicy.MAX_JSON_BYTES)
                .orThrow()
                .path("fleet")
                .asText("");
        return named.isEmpty() ? Optional.empty() : Optional.of(policy.resolveSibling(named));
    }

    static EnrolledDevice enrolled(Path file) throws IOException, RejectedException {
        return EnrolledDevice.fromJson(Files.readAllBytes(file)).orThrow();
    }

    private static String askedFor(Assurance least) {
        return least.name().toLowerCase(Locale.ROOT) + " at least"
                + (least.compareTo(Assurance.FIRMWARE) < 0 ? ", which ties the evidence to no one machine" : "");
    }

    /**
     * Prints the result.
     *
     * @param more fields of the readable form that are not of the result itself
     * @return 0 only for an affirming appraisal
     */
    int print(CommandSpec spec, AttestationResult result, EnrolledDevice device, ObjectNode more) {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        Appraisal appraisal = result.appraisal();
        if (json) {
            out.println(new String(Json.write(result.readable().setAll(more)), StandardCharsets.UTF_8));
        } else {
            Page page = new Page(Program.output(spec));
            page.section("Appraisal")
                    .line("device", device.deviceId())
                    .line(
                            "status",
                            appraisal.status().name().toLowerCase(Locale.ROOT),
                            appraisal.isAffirming() ? Page.Mark.GOOD : Page.Mark.BAD)
                    .line("assurance", device.assurance().name().toLowerCase(Locale.ROOT))
                    .line("asked for", askedFor(appraisal.policy().minAssurance()))
                    .line("compared", "with " + device.memory());
            if (more.has("archive")) {
                boolean known = more.at("/archive/anchored").asBoolean();
                page.line("archived", more.at("/archive/at").asText())
                        .line(
                                "by verifier",
                                more.at("/archive/verifier").asText()
                                        + (known
                                                ? ""
                                                : ": NOT CHECKED. Anybody can make an archive with a key of their own: compare"
                                                        + " this id with what fleet verifier prints where the archive was made,"
                                                        + " or give that one as --verifier"),
                                known ? Page.Mark.GOOD : Page.Mark.BAD);
            }
            List<Appraisal.Model> proven =
                    appraisal.claims().map(Appraisal.Claims::models).orElse(List.of());
            if (proven.isEmpty()) {
                page.line("model", "none proven", Page.Mark.BAD);
            }
            for (Appraisal.Model model : proven) {
                page.section("Model " + model.name())
                        .line("model", model.name() + " " + model.version())
                        .line("state", model.state().name().toLowerCase(Locale.ROOT))
                        .line("epoch", "" + model.epoch())
                        .line("digest", "sha256:" + Units.digest(model.digest().hex()))
                        .line("slot", Units.digest(model.slot().hex()));
            }
            out.print(page);
            out.flush();
        }
        appraisal.firstFailure().ifPresent(check -> {
            err.println(check.code().map(code -> code.id() + ": ").orElse("") + check.detail());
            check.code().ifPresent(code -> err.println("  -> " + code.remedy()));
        });
        return appraisal.isAffirming() ? 0 : 1;
    }
}
