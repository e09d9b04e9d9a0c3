package dev.holdfast.tee.pkcs11;

import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Which token holds the device's key, as a PKCS #11 URI (RFC 7512):
 *
 * <pre>
 * pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/MODULE.so&amp;pin-source=file:/etc/holdfast/token.pin
 * </pre>
 *
 * Two attributes are our own (RFC 7512, 2.3, vendor-specific): {@code x-assurance} is what the operator vouches for, and
 * counts only together with {@code x-module-sha256}, which pins the module's bytes. What a module says of itself raises
 * nothing.
 *
 * @param module the PKCS #11 module, an absolute path
 * @param token label of the token, 1 to 32 bytes
 * @param object label of key and certificate
 * @param pinSource a file of mode 0600 or less that holds the user's PIN
 * @param assurance what the operator vouches for; {@link Assurance#SOFTWARE} by default
 * @param moduleDigest what the module must hash to
 */
public record Pkcs11Uri(
        Path module, String token, String object, Path pinSource, Assurance assurance, Optional<Sha256> moduleDigest) {
    public static final String SCHEME = "pkcs11:";
    /** CK_TOKEN_INFO.label (PKCS #11 2.40, 3.2). */
    private static final int MAX_LABEL_BYTES = 32;

    private static final int MAX_CHARS = 2048;
    private static final Set<String> PATH_ATTRIBUTES = Set.of("token", "object");
    private static final Set<String> QUERY_ATTRIBUTES =
            Set.of("module-path", "pin-source", "x-assurance", "x-module-sha256");

    public Pkcs11Uri {
        if (assurance != Assurance.SOFTWARE && moduleDigest.isEmpty()) {
            throw new IllegalArgumentException("an assurance is for one module alone: its digest must be given");
        }
    }

    /** Reads the URI; {@code CFG-INVALID} names the attribute that is wrong. */
    public static Verdict<Pkcs11Uri> parse(String uri) {
        return Verdict.of(() -> {
            if (!uri.startsWith(SCHEME) || uri.length() > MAX_CHARS) {
                throw invalid("no PKCS #11 URI of at most " + MAX_CHARS + " characters");
            }
            int query = uri.indexOf('?');
            if (query < 0) {
                throw invalid("module-path and pin-source are needed");
            }
            Map<String, String> given =
                    attributes(uri.substring(SCHEME.length(), query).split(";"), PATH_ATTRIBUTES);
            given.putAll(attributes(uri.substring(query + 1).split("&"), QUERY_ATTRIBUTES));
            String assurance = given.getOrDefault("x-assurance", Assurance.SOFTWARE.name());
            Optional<Sha256> digest =
                    given.containsKey("x-module-sha256") ? Optional.of(digest(given)) : Optional.empty();
            Assurance vouched = Arrays.stream(Assurance.values())
                    .filter(one -> one.name().equalsIgnoreCase(assurance))
                    .findFirst()
                    .orElseThrow(() -> invalid("x-assurance=" + assurance));
            if (vouched != Assurance.SOFTWARE && digest.isEmpty()) {
                throw invalid("x-assurance is for one module alone: x-module-sha256 must be given");
            }
            String pin = required(given, "pin-source");
            return new Pkcs11Uri(
                    path("module-path", required(given, "module-path")),
                    label("token", required(given, "token")),
                    label("object", given.getOrDefault("object", "holdfast")),
                    path("pin-source", pin.startsWith("file:") ? pin.substring("file:".length()) : pin),
                    vouched,
                    digest);
        });
    }

    private static Map<String, String> attributes(String[] parts, Set<String> known) throws RejectedException {
        Map<String, String> found = new HashMap<>();
        for (String part : parts) {
            int equals = part.indexOf('=');
            String name = part.substring(0, Math.max(0, equals));
            if (!known.contains(name)) {
                throw invalid("attribute " + part + " is not known here");
            }
            if (found.put(name, decoded(part.substring(equals + 1))) != null) {
                throw invalid(name + " is there twice");
            }
        }
        return found;
    }

    private static String decoded(String value) throws RejectedException {
        try {
            // Percent-encoding as in RFC 3986, where a plus sign is a plus sign.
            return URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw invalid("percent-encoding of " + value);
        }
    }

    private static String required(Map<String, String> given, String name) throws RejectedException {
        String value = given.get(name);
        if (value == null || value.isEmpty()) {
            throw invalid(name + " is needed");
        }
        return value;
    }

    private static Sha256 digest(Map<String, String> given) throws RejectedException {
        if (Sha256.fromHex(required(given, "x-module-sha256")) instanceof Verdict.Accepted<Sha256>(Sha256 digest)) {
            return digest;
        }
        throw invalid("x-module-sha256 has 64 hexadecimal digits");
    }

    private static String label(String name, String value) throws RejectedException {
        if (value.getBytes(StandardCharsets.UTF_8).length > MAX_LABEL_BYTES
                || value.chars().anyMatch(Character::isISOControl)) {
            throw invalid(name + " has 1 to " + MAX_LABEL_BYTES + " bytes");
        }
        return value;
    }

    /** The characters that the provider's configuration takes without quoting. */
    private static Path path(String name, String value) throws RejectedException {
        if (!value.matches("/[A-Za-z0-9/._+@-]{1,1000}")) {
            throw invalid(name + " must be an absolute path of letters, digits and / . _ + @ -");
        }
        return Path.of(value);
    }

    private static RejectedException invalid(String detail) {
        return new RejectedException(Code.CFG_INVALID, "tee: " + detail);
    }
}
