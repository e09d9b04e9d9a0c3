package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What was withdrawn: targets that no device may trust again, whoever orders them. The role is one of Holdfast, named in the root beside
 * those of TUF 1.0.34 and listed by the snapshot like a targets role; other clients pass it over. The list only grows: a version that
 * lacks what an older one held is refused. It begins anew where a root gives the role other keys.
 *
 * <p>How fresh it is, the snapshot says, and the timestamp above it. So it does not expire by itself: nothing would be gained, and keys
 * that are kept for emergencies would have to be taken out on a schedule.
 *
 * @param version of the metadata; 0 where there is none
 * @param withdrawn by target path
 */
public record Revocations(long version, SortedMap<String, Withdrawal> withdrawn) {
    /** A list of {@value #MAX_ENTRIES} entries with long names and reasons. */
    public static final int MAX_BYTES = 1024 * 1024;

    /** Of one fleet in its life; what devices keep of them has to fit into their signed record. */
    public static final int MAX_ENTRIES = 1_024;
    /** {@code models/NAME/VERSION/model.gguf} with the longest names. */
    public static final int MAX_PATH_CHARS = 160;

    public static final int MAX_REASON_CHARS = 200;

    /** The field is required by TUF; no client of ours asks. */
    public static final Duration LIFE = Duration.ofDays(3650);

    public static final Revocations NONE = new Revocations(0, new TreeMap<>());
    private static final String WITHDRAWN = "withdrawn";
    private static final String SINCE = "since";
    private static final String REASON = "reason";

    /**
     * Why a target was withdrawn.
     *
     * @param sinceSeconds when, since 1970
     * @param reason for people; may be empty
     */
    public record Withdrawal(long sinceSeconds, String reason) {}

    public Revocations {
        withdrawn = Collections.unmodifiableSortedMap(new TreeMap<>(withdrawn));
    }

    /** The same list and one entry more; an entry that is there stays as it is. */
    public Revocations with(String path, Withdrawal withdrawal) {
        SortedMap<String, Withdrawal> more = new TreeMap<>(withdrawn);
        more.putIfAbsent(path, withdrawal);
        return new Revocations(version, more);
    }

    /** The signed part, as {@link #parse} reads it. */
    public ObjectNode signedPart(long number, Instant expires) {
        ObjectNode signed = Envelope.head(RootDocument.REVOCATIONS, number, expires);
        ObjectNode list = signed.putObject(WITHDRAWN);
        withdrawn.forEach(
                (path, why) -> list.putObject(path).put(SINCE, why.sinceSeconds).put(REASON, why.reason));
        return signed;
    }

    /** Never more than {@value #MAX_ENTRIES} entries; {@code UPD-FORMAT}. Fields that are not known are passed over, as in every role. */
    public static Revocations parse(Envelope envelope) throws RejectedException {
        JsonNode list = envelope.signed().object(WITHDRAWN).node();
        if (list.size() > MAX_ENTRIES) {
            throw new RejectedException(Code.UPD_FORMAT, "more than " + MAX_ENTRIES + " withdrawals");
        }
        SortedMap<String, Withdrawal> withdrawn = new TreeMap<>();
        for (Map.Entry<String, JsonNode> entry : list.properties()) {
            if (entry.getKey().isEmpty() || entry.getKey().length() > MAX_PATH_CHARS) {
                throw new RejectedException(
                        Code.UPD_FORMAT, "a withdrawn path has 1 to " + MAX_PATH_CHARS + " characters");
            }
            Fields fields = Fields.of(entry.getValue(), Code.UPD_FORMAT);
            withdrawn.put(
                    entry.getKey(),
                    new Withdrawal(fields.integer(SINCE, 0), fields.textOrEmpty(REASON, MAX_REASON_CHARS)));
        }
        return new Revocations(envelope.version(), withdrawn);
    }
}
