package dev.holdfast.tee;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A password of a root of trust, or an authorization value of something in it. Does not print itself. Immutable. */
public final class AuthValue {
    /** What most TPMs of Linux machines have for an owner's password. */
    public static final AuthValue EMPTY = new AuthValue(new byte[0]);

    /** Longest digest of a TPM (TPM 2.0 Library Part 2, 10.4.5). */
    public static final int MAX_BYTES = 64;

    private final byte[] bytes;

    private AuthValue(byte[] bytes) {
        this.bytes = bytes;
    }

    /**
     * Zeros at the end do not count (TPM 2.0 Library Part 1, 19.6.4.3).
     *
     * @throws IllegalArgumentException beyond {@value #MAX_BYTES} bytes
     */
    public static AuthValue of(byte[] value) {
        int length = value.length;
        while (length > 0 && value[length - 1] == 0) {
            length--;
        }
        if (length > MAX_BYTES) {
            throw new IllegalArgumentException("a password has at most " + MAX_BYTES + " bytes");
        }
        return new AuthValue(Arrays.copyOf(value, length));
    }

    public static AuthValue of(String password) {
        return of(password.getBytes(StandardCharsets.UTF_8));
    }

    public boolean isEmpty() {
        return bytes.length == 0;
    }

    public byte[] bytes() {
        return bytes.clone();
    }

    @Override
    public String toString() {
        return isEmpty() ? "no password" : "a password";
    }
}
