package dev.holdfast.tee;

/** How far a bridge's word can be trusted, weakest first; {@code compareTo} orders by strength. */
public enum Assurance {
    /** Files on the disk of the device: whoever has root has everything. */
    SOFTWARE,
    /** A TPM emulator. */
    EMULATED,
    /** A TPM in firmware or a trusted application on the main processor. */
    FIRMWARE,
    /** A separate chip with an endorsement certificate of its maker. */
    HARDWARE
}
