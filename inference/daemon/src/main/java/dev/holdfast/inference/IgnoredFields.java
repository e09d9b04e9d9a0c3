package dev.holdfast.inference;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The fields of one request that nobody knows here. They have no effect, which the caller is told in a header; who asks for strictness is
 * refused. Keeps the first few names, however many there are. Belongs to one thread.
 */
final class IgnoredFields {
    /** The header that names them. */
    static final String HEADER = "Holdfast-Ignored";

    private static final int MAX_NAMES = 8;
    private static final int MAX_NAME_CHARS = 64;

    private final List<String> names = new ArrayList<>();

    void add(String name) {
        if (names.size() < MAX_NAMES) {
            names.add(name.length() <= MAX_NAME_CHARS ? name : name.substring(0, MAX_NAME_CHARS));
        }
    }

    boolean isEmpty() {
        return names.isEmpty();
    }

    /** The value of the header: names as the request has them, with what does not belong into a header replaced. */
    String header() {
        return String.join(",", names).replaceAll("[^A-Za-z0-9_.,\\[\\]-]", "?");
    }

    /** Why a strict caller is refused. */
    Optional<Rejection> refusal() {
        return names.stream()
                .findFirst()
                .map(name -> Rejection.ofField(Code.API_UNKNOWN_FIELD, name, "unknown field " + name));
    }
}
