package dev.holdfast.tee;

/**
 * What a bridge says of itself.
 *
 * @param kind the sort of root of trust
 * @param assurance how far its word can be trusted
 * @param detail for a person: maker, firmware, path
 */
public record TeeDescription(Kind kind, Assurance assurance, String detail) {
    /** The sort of root of trust. */
    public enum Kind {
        TPM2,
        PKCS11,
        CONFIDENTIAL_VM,
        SOFTWARE
    }
}
