package dev.holdfast.attestation;

/** Where a challenge comes from. Each of them has a share of the device's evidence that none of the others can take. */
public enum Asker {
    /** The fleet: a challenge over the link that its Director key signed. */
    FLEET,
    /** Whoever may publish on the device's challenge topic. */
    LINK,
    /** Callers of the agent's control socket. */
    CONTROL,
    /** Local programs, through the inference process, which divides this share among them. */
    PROGRAMS
}
