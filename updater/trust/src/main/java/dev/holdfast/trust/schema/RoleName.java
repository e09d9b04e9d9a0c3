package dev.holdfast.trust.schema;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;

/** The name of a role as part of a file's name: whoever delegates chooses it, and it must lead nowhere else. */
public final class RoleName {
    private static final int MAX_FILE_NAME_CHARS = 200;

    private RoleName() {}

    /** The name with everything escaped that means something in a path or in a URL. */
    public static String quoted(String role) {
        return URLEncoder.encode(role, StandardCharsets.UTF_8)
                .replace("+", "%20")
                .replace("*", "%2A");
    }

    /** {@code UPD-FORMAT} where no file can have this name. */
    static void requireFileName(String role) throws RejectedException {
        if (quoted(role).length() > MAX_FILE_NAME_CHARS) {
            throw new RejectedException(Code.UPD_FORMAT, "the name of a role is too long for a file");
        }
    }
}
