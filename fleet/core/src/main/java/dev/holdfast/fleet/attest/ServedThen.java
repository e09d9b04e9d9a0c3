package dev.holdfast.fleet.attest;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.Event;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.VerifierId;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What served on a device at a moment of the past, by the archives that its fleet has. A log only grows within a boot, and a quote fixes
 * its beginning. So two looks of one boot, of which the later log begins with the earlier one, leave nothing unsaid between them: the
 * device served what the earlier log led to, until the next event of the later one. Across a reboot, before the first look and after the
 * last one nothing is proved.
 *
 * @param before the last look that was appraised by then
 * @param after the first whose question was sent later
 * @param sets what the log led to between the two, oldest first, each as {@code model@version}; one of them served at the moment.
 *     Empty where nothing is proved
 * @param silent questions between the two looks that got no answer
 */
public record ServedThen(
        String device,
        Instant at,
        Optional<Look> before,
        Optional<Look> after,
        List<List<String>> sets,
        List<Instant> silent) {
    private static final int MAX_SILENT_SHOWN = 3;

    /** One appraisal whose evidence was authentic. */
    public record Look(
            Path file,
            Instant asked,
            Instant appraised,
            String status,
            long boot,
            List<Binary> log,
            List<String> models) {
        ObjectNode toJson() {
            ObjectNode json = Json.object()
                    .put("at", appraised.toString())
                    .put("status", status)
                    .put("boot", boot)
                    .put("archive", file.toString());
            ArrayNode list = json.putArray("models");
            models.forEach(list::add);
            return json;
        }

        private boolean isContinuedBy(Look later) {
            return boot == later.boot
                    && later.log.size() >= log.size()
                    && later.log.subList(0, log.size()).equals(log);
        }
    }

    public ServedThen {
        sets = List.copyOf(sets);
        silent = List.copyOf(silent);
    }

    /** Reads the fleet's archives of the device; those that this fleet's verifier did not sign are passed over. */
    public static ServedThen of(FleetDirectory directory, String device, Instant at)
            throws IOException, RejectedException {
        VerifierId own = VerifierKey.open(directory).publicHalf();
        List<Path> files = new KeptArchives(directory).of(device);
        int later = 0;
        while (later < files.size()
                && !KeptArchives.at(files.get(later)).orElseThrow().isAfter(at)) {
            later++;
        }
        Optional<Look> before = Optional.empty();
        for (int i = later - 1; i >= 0 && before.isEmpty(); i--) {
            before = look(files.get(i), own, device).filter(look -> !look.appraised.isAfter(at));
        }
        // One whose question was sent before the moment, and appraised after it, says of neither side.
        Optional<Look> after = Optional.empty();
        for (int i = later; i < files.size() && after.isEmpty(); i++) {
            after = look(files.get(i), own, device).filter(look -> look.asked.isAfter(at));
        }
        boolean whole = before.isPresent() && after.isPresent() && before.get().isContinuedBy(after.get());
        Optional<Instant> from = before.map(Look::appraised);
        Optional<Instant> to = after.map(Look::asked);
        return new ServedThen(
                device,
                at,
                before,
                after,
                whole ? between(before.orElseThrow(), after.orElseThrow()) : List.of(),
                new VerdictLog(directory)
                        .of(device).stream()
                                .filter(VerdictLog.Line::isSilent)
                                .map(VerdictLog.Line::at)
                                .filter(asked -> from.map(asked::isAfter).orElse(true)
                                        && to.map(asked::isBefore).orElse(true))
                                .toList());
    }

    private static Optional<Look> look(Path file, VerifierId own, String device) throws IOException {
        if (Files.size(file) > SignedArchive.MAX_BYTES
                || !(SignedArchive.read(Files.readAllBytes(file))
                        instanceof Verdict.Accepted<SignedArchive>(SignedArchive archive))
                || !archive.verifier().id().equals(own.id())
                || !archive.archived().device().deviceId().equals(device)) {
            return Optional.empty();
        }
        AttestationResult result = archive.archived().appraise();
        Optional<Appraisal.Claims> claims = result.appraisal().claims();
        // What a newer agent logged may say of models what this version cannot read.
        boolean unread = result.appraisal().checks().stream()
                .anyMatch(check -> check.name().equals("newer-event"));
        if (claims.isEmpty()
                || unread
                || !(EvidenceVerifier.open(archive.archived().evidence().toArray())
                        instanceof Verdict.Accepted<EvidenceVerifier.Message>(EvidenceVerifier.Message message))) {
            return Optional.empty();
        }
        List<Binary> quoted = message.tpm().log().subList(0, claims.get().events());
        return Optional.of(new Look(
                file,
                archive.archived()
                        .question()
                        .age()
                        .map(archive.archived().at()::minus)
                        .orElse(archive.archived().at()),
                archive.archived().at(),
                result.appraisal().status().name().toLowerCase(Locale.ROOT),
                claims.get().bootCount(),
                quoted,
                models(replay(quoted))));
    }

    /** What each beginning of the later log led to, from the end of the earlier one on; the same twice in a row is told once. */
    private static List<List<String>> between(Look earlier, Look later) {
        List<List<String>> sets = new ArrayList<>();
        SortedMap<String, ModelEvent> last = replay(earlier.log);
        sets.add(models(last));
        for (Binary content : later.log.subList(earlier.log.size(), later.log.size())) {
            apply(content, last);
            if (!models(last).equals(sets.getLast())) {
                sets.add(models(last));
            }
        }
        return sets;
    }

    private static SortedMap<String, ModelEvent> replay(List<Binary> log) {
        SortedMap<String, ModelEvent> last = new TreeMap<>();
        log.forEach(content -> apply(content, last));
        return last;
    }

    /** The appraisal has read each of these already, and refused what it does not know. */
    private static void apply(Binary content, SortedMap<String, ModelEvent> last) {
        if (Event.parse(content) instanceof Verdict.Accepted<Event>(Event.Model(ModelEvent event))) {
            event.applyTo(last);
        }
    }

    private static List<String> models(SortedMap<String, ModelEvent> last) {
        return last.values().stream()
                .map(event -> ModelName.id(event.model(), event.version())
                        + (event.kind().isOfGrace() ? " in its grace" : ""))
                .toList();
    }

    /** Whether exactly one set of models served at the moment. */
    public boolean isProved() {
        return sets.size() == 1;
    }

    /** In one sentence, for people. */
    public String says() {
        if (isProved()) {
            return "proved: no model changed between the two looks";
        }
        if (sets.size() > 1) {
            return "proved: one of these " + sets.size() + " in this order, and nothing else; the log has no times";
        }
        if (before.isEmpty() || after.isEmpty()) {
            return "not proved: nobody looked " + (before.isEmpty() ? "before" : "after") + " that moment";
        }
        return before.get().boot == after.get().boot
                ? "not proved: the later log does not begin with the earlier one"
                : "not proved: the device was reset between the two looks, boot " + before.get().boot + " and "
                        + after.get().boot;
    }

    /** Between which times nothing closer is known, and why; for people. Empty where one set is proved. */
    public Optional<String> gap() {
        if (isProved()) {
            return Optional.empty();
        }
        String asked = silent.isEmpty()
                ? "nobody asked between"
                : silent.size() + (silent.size() == 1 ? " question" : " questions") + " between got no answer: "
                        + String.join(
                                ", ",
                                silent.stream()
                                        .limit(MAX_SILENT_SHOWN)
                                        .map(Instant::toString)
                                        .toList())
                        + (silent.size() > MAX_SILENT_SHOWN ? ", ..." : "");
        return Optional.of(
                "from " + before.map(look -> look.appraised.toString()).orElse("the beginning") + " to "
                        + after.map(look -> look.asked.toString()).orElse("now") + "; " + asked);
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("device", device).put("at", at.toString());
        json.put("proved", isProved()).put("says", says());
        ArrayNode list = json.putArray("served");
        sets.forEach(models -> {
            ArrayNode one = list.addArray();
            models.forEach(one::add);
        });
        gap().ifPresent(why -> {
            ObjectNode gap = json.putObject("gap");
            before.ifPresent(look -> gap.put("from", look.appraised.toString()));
            after.ifPresent(look -> gap.put("to", look.asked.toString()));
            ArrayNode unanswered = gap.putArray("silent");
            silent.forEach(asked -> unanswered.add(asked.toString()));
            gap.put("says", why);
        });
        before.ifPresent(look -> json.set("before", look.toJson()));
        after.ifPresent(look -> json.set("after", look.toJson()));
        return json;
    }
}
