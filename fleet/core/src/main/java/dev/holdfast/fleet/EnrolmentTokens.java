package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.EnrolmentMessage;
import dev.holdfast.attestation.EnrolmentToken;
import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The enrolment tokens of a fleet, {@code tokens/<id>.json}, readable by their owner only. Each lets in a number of devices until a
 * time. A use is counted before the device is let in, in one step with it among all services of the fleet: so no two devices get the
 * last one. Where the power is lost between the two, the same device is not counted again.
 */
public record EnrolmentTokens(FleetDirectory directory, Clock clock) {
    /** More than any fleet has devices. */
    public static final int MAX_USES = 1_000_000;

    private static final int MAX_BYTES = 4096;
    private static final String SUFFIX = ".json";
    private static final Pattern FILE = Pattern.compile("[0-9a-f]{16}\\.json");

    /**
     * What is known of a token, but its secret.
     *
     * @param uses devices that it lets in at most
     * @param used devices that it let in
     * @param until the end of it
     * @param last the endorsement key that used it last
     */
    public record Standing(String id, int uses, int used, Instant until, Optional<Sha256> last) {
        /** Why it lets nobody in any more; empty where it does. */
        public Optional<String> spent(Instant now) {
            return !now.isBefore(until)
                    ? Optional.of("expired at " + until)
                    : used >= uses ? Optional.of("used up") : Optional.empty();
        }
    }

    private record Kept(EnrolmentToken token, Standing standing) {
        byte[] bytes() {
            ObjectNode json = Json.object()
                    .put("format", 1)
                    .put("secret", token.secret().hex())
                    .put("uses", standing.uses)
                    .put("used", standing.used)
                    .put("until", standing.until.getEpochSecond());
            standing.last.ifPresent(key -> json.put("last", key.hex()));
            return Json.write(json);
        }
    }

    private Path folder() {
        return directory.root().resolve("tokens");
    }

    private Path file(String id) {
        return folder().resolve(id + SUFFIX);
    }

    /** Makes a token. Whoever gets it may enrol devices in the fleet: {@link EnrolmentToken#text} goes where its devices' image is made. */
    public EnrolmentToken create(int uses, Duration life) throws IOException, RejectedException {
        if (uses < 1 || uses > MAX_USES || life.isNegative() || life.isZero()) {
            throw new RejectedException(Code.CFG_INVALID, "a token is for 1 to " + MAX_USES + " devices and some time");
        }
        EnrolmentToken token = EnrolmentToken.fresh();
        Standing standing = new Standing(token.id(), uses, 0, clock.instant().plus(life), Optional.empty());
        return directory.exclusively(() -> {
            Disk.LOCAL.createDirectories(folder(), Disk.Access.PRIVATE);
            new FleetAudit(directory, clock)
                    .append(
                            "token",
                            "",
                            Json.object()
                                    .put("token", token.id())
                                    .put("uses", uses)
                                    .put("until", standing.until.toString()));
            write(new Kept(token, standing));
            return token;
        });
    }

    private void write(Kept kept) throws IOException {
        Disk.LOCAL.replace(file(kept.standing.id), kept.bytes(), Disk.Access.PRIVATE);
    }

    /** All tokens, by their ids. */
    public List<Standing> list() throws IOException, RejectedException {
        if (!Files.isDirectory(folder())) {
            return List.of();
        }
        List<Standing> all = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder())) {
            for (String name : files.map(file -> String.valueOf(file.getFileName()))
                    .filter(name -> FILE.matcher(name).matches())
                    .sorted()
                    .toList()) {
                read(name.substring(0, EnrolmentToken.ID_CHARS)).ifPresent(kept -> all.add(kept.standing));
            }
        }
        return all;
    }

    /** Takes a token back; devices that it let in stay. {@code FLT-ABSENT} where there is none. */
    public void revoke(String id) throws IOException, RejectedException {
        directory.exclusively(() -> {
            if (!FILE.matcher(id + SUFFIX).matches() || read(id).isEmpty()) {
                throw new RejectedException(Code.FLT_ABSENT, "no such token; see fleet devices token list");
            }
            new FleetAudit(directory, clock)
                    .append("token-revoke", "", Json.object().put("token", id));
            FleetDirectory.delete(file(id));
            return id;
        });
    }

    private Optional<Kept> read(String id) throws IOException, RejectedException {
        Optional<JsonNode> json = FleetDirectory.readJson(file(id), MAX_BYTES);
        if (json.isEmpty()) {
            return Optional.empty();
        }
        Fields fields = Fields.of(json.get(), Code.CFG_INVALID);
        fields.integer("format", 1, 1);
        Binary secret = fields.sha256("secret").value();
        return Optional.of(new Kept(
                new EnrolmentToken(id, secret),
                new Standing(
                        id,
                        (int) fields.integer("uses", 1, MAX_USES),
                        (int) fields.integer("used", 0, MAX_USES),
                        Instant.ofEpochSecond(fields.epochSeconds("until")),
                        fields.has("last") ? Optional.of(fields.sha256("last")) : Optional.empty())));
    }

    /**
     * Counts a use for the device with this endorsement key. To be called {@linkplain FleetDirectory#exclusively exclusively}, by whoever
     * then lets the device in.
     *
     * @param claim a token's id, and proof that the device has that token
     * @param made whether the claim was made with a token
     * @return why the token does not let it in; empty where it does
     */
    Optional<String> use(EnrolmentMessage.TokenClaim claim, Predicate<EnrolmentToken> made, Sha256 endorsement)
            throws IOException, RejectedException {
        Optional<String> refusal = refusal(claim, made, endorsement);
        if (refusal.isEmpty()) {
            Kept kept = read(claim.token()).orElseThrow();
            Standing before = kept.standing;
            if (!before.last.equals(Optional.of(endorsement))) {
                write(new Kept(
                        kept.token,
                        new Standing(before.id, before.uses, before.used + 1, before.until, Optional.of(endorsement))));
            }
        }
        return refusal;
    }

    /** Why a claim does not let a device in; empty where {@link #use} would count it. */
    Optional<String> refusal(EnrolmentMessage.TokenClaim claim, Predicate<EnrolmentToken> made, Sha256 endorsement)
            throws IOException, RejectedException {
        Optional<Kept> found = read(claim.token());
        if (found.isEmpty() || !made.test(found.get().token)) {
            // The same for both, so that nobody learns which ids there are.
            return Optional.of("its token is not one of this fleet's");
        }
        Standing standing = found.get().standing;
        return standing.spent(clock.instant())
                .filter(why -> !(why.equals("used up") && standing.last.equals(Optional.of(endorsement))))
                .map(why -> "its token " + standing.id + " is " + why);
    }
}
