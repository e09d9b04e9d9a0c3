package dev.holdfast.tee;

import java.time.Duration;

/**
 * What an operator may choose about a TPM.
 *
 * @param pcr the register for model events. 14 by default (collides with shim's MOK measurements on PCs); 16 and 23 can
 *     be reset by any software, 17 to 22 cannot be extended by it
 * @param commandDeadline how long one command may take; hardware needs up to 3 s
 */
public record Tpm2Options(int pcr, Duration commandDeadline) {
    public static final Tpm2Options DEFAULT = new Tpm2Options(14, Duration.ofSeconds(10));

    public Tpm2Options {
        if (pcr < 0 || pcr > 23 || (pcr >= 17 && pcr <= 22)) {
            throw new IllegalArgumentException("PCR " + pcr + " cannot take model events");
        }
        if (commandDeadline.isNegative() || commandDeadline.isZero()) {
            throw new IllegalArgumentException("the deadline must be positive");
        }
    }

    /** Debug PCR 16 and application PCR 23 are reset from locality 0 (PC Client Platform TPM Profile). */
    boolean resettable() {
        return pcr == 16 || pcr == 23;
    }
}
