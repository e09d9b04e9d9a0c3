package dev.holdfast.fleet;

import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * One line of a list of endorsement keys: {@code endorsement[,name[,grants]]}. Fields are separated by commas and may stand in double
 * quotes; none of them can hold a comma, so this is all of CSV (RFC 4180) that such a list needs. Empty lines, lines that begin with
 * {@code #} and a first line with the fields' names are passed over.
 *
 * @param endorsement SHA-256 of TPMT_PUBLIC of the endorsement key; without a TPM, of x || y of the device's key
 * @param device the only name that the key may enrol under; empty for any that is free
 * @param grants what its TPM is granted; empty for what its maker's certificate says, else {@code EMULATED}
 * @param refused whether it may not enrol at all
 */
public record KeyLine(Sha256 endorsement, Optional<String> device, Optional<Assurance> grants, boolean refused) {
    /** A million keys without names, or 400,000 with long ones. */
    private static final int MAX_BYTES = 64 << 20;

    private static final int MAX_LINES = 1_000_000;
    private static final int MAX_LINE_CHARS = 512;
    private static final int MAX_FIELDS = 3;
    private static final int MAX_PROBLEMS = 20;
    private static final int MAX_SHOWN_CHARS = 40;
    private static final String HEADER = "endorsement,name,grants";
    private static final String REFUSE = "refuse";
    /** TPMI_ALG_HASH of SHA-256, which a TPM writes before the hash where it shows a key's name (Part 1, 16). */
    private static final Pattern TPM_NAME = Pattern.compile("(?i)000b[0-9a-f]{64}");

    /** A key that is let in under any name that is free, with what its maker's certificate says. */
    public static KeyLine accepting(Sha256 endorsement) {
        return new KeyLine(endorsement, Optional.empty(), Optional.empty(), false);
    }

    /** What is wrong with a line. @param line its number, from 1 */
    public record Problem(int line, String what) {}

    /**
     * What a list says.
     *
     * @param lines where nothing is wrong
     * @param problems the first of them, {@value #MAX_PROBLEMS} at most
     */
    public record Listing(List<KeyLine> lines, List<Problem> problems) {
        public Listing {
            lines = List.copyOf(lines);
            problems = List.copyOf(problems);
        }
    }

    /** Reads a list that anybody may have written. Never throws; memory stays within a small multiple of {@value #MAX_BYTES} bytes. */
    public static Listing parse(byte[] bytes) {
        List<KeyLine> lines = new ArrayList<>();
        List<Problem> problems = new ArrayList<>();
        if (bytes.length > MAX_BYTES) {
            return new Listing(lines, List.of(new Problem(1, "the file is longer than " + MAX_BYTES + " bytes")));
        }
        String text = new String(bytes, StandardCharsets.UTF_8);
        Map<Sha256, Integer> keys = new HashMap<>();
        Map<String, Integer> names = new HashMap<>();
        int number = 0;
        for (int at = text.startsWith("\uFEFF") ? 1 : 0; at < text.length() && problems.size() < MAX_PROBLEMS; ) {
            int end = text.indexOf('\n', at);
            int stop = end < 0 ? text.length() : end;
            number++;
            if (number > MAX_LINES) {
                problems.add(new Problem(number, "more than " + MAX_LINES + " lines"));
                break;
            }
            try {
                if (stop - at > MAX_LINE_CHARS) {
                    throw wrong("longer than " + MAX_LINE_CHARS + " characters");
                }
                Optional<KeyLine> line = read(text.substring(at, stop).strip(), lines.isEmpty());
                if (line.isPresent()) {
                    requireFirst(keys.putIfAbsent(line.get().endorsement(), number), "the key");
                    if (line.get().device().isPresent() && !line.get().refused()) {
                        requireFirst(names.putIfAbsent(line.get().device().get(), number), "the name");
                    }
                    lines.add(line.get());
                }
            } catch (RejectedException e) {
                problems.add(new Problem(number, e.rejection().detail()));
            }
            at = stop + 1;
        }
        return problems.isEmpty() ? new Listing(lines, problems) : new Listing(List.of(), problems);
    }

    private static Optional<KeyLine> read(String line, boolean first) throws RejectedException {
        if (line.isEmpty() || line.startsWith("#")) {
            return Optional.empty();
        }
        String[] fields = line.split(",", -1);
        for (int i = 0; i < fields.length; i++) {
            String field = fields[i].strip();
            boolean quoted = field.length() > 1 && field.startsWith("\"") && field.endsWith("\"");
            fields[i] = quoted ? field.substring(1, field.length() - 1).strip() : field;
        }
        if (first && List.of("endorsement", "hash").contains(fields[0].toLowerCase(Locale.ROOT))) {
            return Optional.empty();
        }
        if (fields.length > MAX_FIELDS) {
            throw wrong("has " + fields.length + " fields: endorsement, name and grants are all");
        }
        String name = fields.length > 1 ? fields[1] : "";
        if (!name.isEmpty() && !Topics.isName(name)) {
            throw wrong(Topics.refusal(printable(name)));
        }
        String grants = fields.length > 2 ? fields[2].toLowerCase(Locale.ROOT) : "";
        return Optional.of(new KeyLine(
                key(fields[0]),
                name.isEmpty() ? Optional.empty() : Optional.of(name),
                grants.isEmpty() || grants.equals(REFUSE) ? Optional.empty() : Optional.of(grant(grants)),
                grants.equals(REFUSE)));
    }

    /** Reads an endorsement key's hash, or the TPM's name of the key, which is the same behind {@code 000b}; {@code CFG-INVALID}. */
    public static Sha256 key(String text) throws RejectedException {
        String hex = TPM_NAME.matcher(text).matches() ? text.substring(4) : text;
        return switch (Sha256.fromHex(hex.toLowerCase(Locale.ROOT))) {
            case Verdict.Accepted<Sha256>(Sha256 key) -> key;
            case Verdict.Rejected<Sha256> _ ->
                throw wrong("\"" + printable(text) + "\" is no endorsement key: 64 hexadecimal digits of its SHA-256,"
                        + " as holdfast status on the device shows them");
        };
    }

    private static Assurance grant(String text) throws RejectedException {
        try {
            return EnrolmentPolicy.assurance(text);
        } catch (RejectedException e) {
            throw wrong("\"" + printable(text) + "\" is nothing that is granted: hardware, firmware or emulated; or "
                    + REFUSE);
        }
    }

    private static void requireFirst(@Nullable Integer before, String what) throws RejectedException {
        if (before != null) {
            throw wrong(what + " is in line " + before + " already");
        }
    }

    /** Whoever wrote the file chose the bytes, which end on a terminal. */
    private static String printable(String text) {
        String shown = text.length() > MAX_SHOWN_CHARS ? text.substring(0, MAX_SHOWN_CHARS) + "..." : text;
        return shown.replaceAll("[^\\x20-\\x7e]", "?");
    }

    /** All lines of the fleet's own list; {@code CFG-INVALID} with the first line that is wrong. */
    static List<KeyLine> readAll(Path file) throws IOException, RejectedException {
        Listing listing = parse(bytes(file));
        if (!listing.problems().isEmpty()) {
            Problem first = listing.problems().getFirst();
            throw wrong(file.getFileName() + ", line " + first.line() + ": " + first.what());
        }
        return listing.lines();
    }

    /** The bytes of a list, one more than may be at most. */
    public static byte[] bytes(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return in.readNBytes(MAX_BYTES + 1);
        }
    }

    /** {@code CFG-INVALID} where two keys that may enrol have one name, or there are too many. */
    static void requireApart(Collection<KeyLine> lines) throws RejectedException {
        if (lines.size() > MAX_LINES) {
            throw wrong("more than " + MAX_LINES + " keys");
        }
        Map<String, Sha256> names = new HashMap<>();
        for (KeyLine line : lines) {
            if (line.device().isPresent() && !line.refused()) {
                Sha256 other = names.putIfAbsent(line.device().get(), line.endorsement());
                if (other != null) {
                    throw wrong("the name " + line.device().get() + " is for two keys, " + other + " and "
                            + line.endorsement() + ": fleet devices reject --endorsement HEX for the one that is gone");
                }
            }
        }
    }

    /** The fleet's own list, as {@link #parse} reads it. */
    static byte[] write(Collection<KeyLine> lines) {
        StringBuilder text = new StringBuilder(lines.size() * 96).append(HEADER).append('\n');
        for (KeyLine line : lines) {
            text.append(line.endorsement.hex())
                    .append(',')
                    .append(line.device.orElse(""))
                    .append(',')
                    .append(
                            line.refused
                                    ? REFUSE
                                    : line.grants
                                            .map(rank -> rank.name().toLowerCase(Locale.ROOT))
                                            .orElse(""))
                    .append('\n');
        }
        return text.toString().getBytes(StandardCharsets.US_ASCII);
    }

    private static RejectedException wrong(String detail) {
        return new RejectedException(Code.CFG_INVALID, detail);
    }
}
