package dev.holdfast.tee.tpm;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.wire.Binary;
import java.time.Duration;
import java.util.Optional;

/**
 * What an operator may choose about a TPM.
 *
 * @param register the register for model events
 * @param commandDeadline how long one command may take; hardware needs up to 3 s
 * @param endorsement the name of the endorsement key that the TPM must have, as provisioning saw it; empty where it is not
 *     pinned
 * @param authorization what moves the counter and uses keys that provisioning stored; empty where provisioning made no such
 *     value
 */
public record Tpm2Options(
        TpmRegister register, Duration commandDeadline, Optional<Binary> endorsement, AuthValue authorization) {
    public static final Tpm2Options DEFAULT = new Tpm2Options(TpmRegister.DEFAULT, Duration.ofSeconds(10));

    public Tpm2Options(TpmRegister register, Duration commandDeadline) {
        this(register, commandDeadline, Optional.empty(), AuthValue.EMPTY);
    }

    public Tpm2Options {
        if (commandDeadline.isNegative() || commandDeadline.isZero()) {
            throw new IllegalArgumentException("the deadline must be positive");
        }
    }

    /** These options with another register. */
    public Tpm2Options with(TpmRegister other) {
        return new Tpm2Options(other, commandDeadline, endorsement, authorization);
    }

    /** These options with the endorsement key pinned. */
    public Tpm2Options pinned(Binary endorsementName) {
        return new Tpm2Options(register, commandDeadline, Optional.of(endorsementName), authorization);
    }

    /** These options with an authorization value. */
    public Tpm2Options authorized(AuthValue value) {
        return new Tpm2Options(register, commandDeadline, endorsement, value);
    }
}
